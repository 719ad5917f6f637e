#include "cluster/known_nodes.hpp"

#include <algorithm>

#include "cluster/freshness.hpp"
#include "cluster/params.hpp"

namespace turnpike::cluster {
namespace {

constexpr std::chrono::hours kMemory{24};     // how long a lost node is remembered
constexpr std::chrono::minutes kNamesake{1};  // how long a name that is used twice is reported

std::uint64_t number_of(WallTime time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

// Returns whether the node's clock was set back: the node wrote numbers of the future, and now those of the
// present.
bool was_set_back(std::uint64_t before, std::uint64_t after, WallTime now) {
  return before > number_of(now) && !Freshness::is_timely(before, now) && Freshness::is_timely(after, now);
}

}  // namespace

KnownNodes::Heard* KnownNodes::find_or_add(const std::string& name) {
  const auto found = heard_.find(name);
  if (found != heard_.end()) return &found->second;
  return heard_.size() < kMaxNodes ? &heard_[name] : nullptr;
}

KnownNodes::Verdict KnownNodes::accept(const NodeRecord& record, TimePoint now) {
  Heard* const heard = find_or_add(record.name);
  if (!heard) return Verdict::too_many;
  const bool is_anew = record.began != heard->began[0];
  const bool is_smaller = record.written_at < heard->number;
  if (is_smaller && !(is_anew && was_set_back(heard->number, record.written_at, now.wall)))
    return Verdict::old;
  if (record.written_at != heard->number) {
    heard->number = record.written_at;
    heard->since = now.steady;
  }
  if (now.steady - heard->since >= kLife) return Verdict::silent;
  if (is_anew) {
    if (record.began == heard->began[1]) heard->used_twice_until = now.steady + kNamesake;
    heard->began = {record.began, heard->began[0]};
  }
  heard->record = record;
  return Verdict::fresh;
}

KnownNodes::Verdict KnownNodes::accept_order(const std::string& node, std::uint64_t number, TimePoint now) {
  return accept_order(node, number, now, kMaxAge);
}

KnownNodes::Verdict KnownNodes::accept_kept_order(const std::string& node, std::uint64_t number,
                                                  TimePoint now) {
  return accept_order(node, number, now, kKept);
}

KnownNodes::Verdict KnownNodes::accept_order(const std::string& node, std::uint64_t number, TimePoint now,
                                             Duration max_age) {
  Heard* const heard = find_or_add(node);
  if (!heard) return Verdict::too_many;
  heard->since = std::max(heard->since, now.steady - kLife);  // an order does not count as a record
  const std::uint64_t here = number_of(now.wall);
  const bool is_timely = number > here ? number - here <= number_of(WallTime(kMaxAge))
                                       : here - number <= number_of(WallTime(max_age));
  if (!is_timely) return Verdict::untimely;
  if (number <= heard->order) return Verdict::old;
  heard->order = number;
  return Verdict::fresh;
}

const NodeRecord* KnownNodes::latest_of(const std::string& name, SteadyTime now) const {
  const auto found = heard_.find(name);
  const bool is_there = found != heard_.end() && found->second.record && now - found->second.since < kLife;
  return is_there ? &*found->second.record : nullptr;
}

bool KnownNodes::is_used_twice(const std::string& name, SteadyTime now) const {
  const auto found = heard_.find(name);
  return found != heard_.end() && now < found->second.used_twice_until;
}

std::vector<std::string> KnownNodes::possibly_running() const {
  std::vector<std::string> names;
  for (const auto& [name, heard] : heard_) {
    if (heard.record && !heard.record->leaving) names.push_back(name);
  }
  return names;
}

void KnownNodes::forget_long_gone(SteadyTime now) {
  std::erase_if(heard_, [&](const auto& entry) { return now - entry.second.since > kMemory; });
}

}  // namespace turnpike::cluster
