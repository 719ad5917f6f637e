#include "turnpike/signaling/revocations.hpp"

#include <algorithm>

namespace turnpike::signaling {

bool Revocations::add(const Revocation& revocation, WallTime now) {
  std::erase_if(revoked_, [&](const auto& entry) { return entry.second.until <= now; });
  const Key key(revocation.kind, revocation.name);
  if (revoked_.size() >= kMax && !revoked_.contains(key)) return false;
  Times& times = revoked_[key];
  times.since = std::max(times.since, revocation.since);
  times.until = std::max(times.until, revocation.until);
  return true;
}

bool Revocations::has(std::string_view id, std::string_view subject, std::optional<WallTime> issued,
                      WallTime now) const {
  if (revoked_.empty()) return false;
  if (find(Revocation::Kind::token, id, now)) return true;
  const Times* const of_subject = find(Revocation::Kind::subject, subject, now);
  return of_subject && (!issued || *issued <= of_subject->since);
}

const Revocations::Times* Revocations::find(Revocation::Kind kind, std::string_view name,
                                            WallTime now) const {
  const auto found = name.empty() ? revoked_.end() : revoked_.find(Key(kind, name));
  return found == revoked_.end() || found->second.until <= now ? nullptr : &found->second;
}

}  // namespace turnpike::signaling
