#include "turnpike/auth/revocations.hpp"

#include <algorithm>

namespace turnpike::auth {

bool Revocations::add(const Revocation& revocation, WallTime now) {
  ByName& known = of(revocation.kind);
  // Expired entries are removed only when room is needed, so that not each of many additions examines all
  // entries.
  if (known.size() >= kMax && !known.contains(revocation.name)) {
    std::erase_if(known, [&](const auto& entry) { return entry.second.until <= now; });
    if (known.size() >= kMax) return false;
  }
  Times& times = known[revocation.name];
  if (times.until <= now) times = {};
  times.since = std::max(times.since, revocation.since);
  times.until = std::max(times.until, revocation.until);
  return true;
}

bool covers(const Revocation& revocation, std::string_view id, std::string_view subject,
            std::optional<WallTime> issued) {
  switch (revocation.kind) {
    case Revocation::Kind::token: return id == revocation.name;
    case Revocation::Kind::subject:
      return subject == revocation.name && (!issued || *issued <= revocation.since);
    default: return false;
  }
}

bool Revocations::includes(const Revocation& revocation) const {
  const auto found = of(revocation.kind).find(revocation.name);
  return found != of(revocation.kind).end() && found->second.since >= revocation.since &&
         found->second.until >= revocation.until;
}

bool Revocations::has(std::string_view id, std::string_view subject, std::optional<WallTime> issued,
                      WallTime now) const {
  const auto is_covered = [&](const std::optional<Revocation>& one) {
    return one && auth::covers(*one, id, subject, issued);
  };
  return is_covered(find(Revocation::Kind::token, id, now)) ||
         is_covered(find(Revocation::Kind::subject, subject, now));
}

std::vector<Revocation> Revocations::list(WallTime now) const {
  std::vector<Revocation> all;
  for (std::size_t kind = 0; kind < by_kind_.size(); ++kind) {
    for (const auto& [name, times] : by_kind_[kind]) {
      if (times.until > now)
        all.push_back({static_cast<Revocation::Kind>(kind), name, times.since, times.until});
    }
  }
  return all;
}

std::optional<Revocation> Revocations::find(Revocation::Kind kind, std::string_view name,
                                            WallTime now) const {
  if (name.empty()) return std::nullopt;
  const auto found = of(kind).find(name);
  if (found == of(kind).end() || found->second.until <= now) return std::nullopt;
  return Revocation{kind, found->first, found->second.since, found->second.until};
}

}  // namespace turnpike::auth
