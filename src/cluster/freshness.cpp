#include "cluster/freshness.hpp"

#include <algorithm>

namespace turnpike::cluster {
namespace {

constexpr std::size_t kTimeDigits = 12;  // hexadecimal

std::uint64_t milliseconds_of(WallTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

}  // namespace

std::string name_run(WallTime now, std::string_view chance) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name(kTimeDigits, '0');
  std::uint64_t left = milliseconds_of(now);
  for (auto digit = name.rbegin(); digit != name.rend(); ++digit, left /= 16) *digit = kDigits[left % 16];
  return name.append(chance.substr(0, kMaxRun - kTimeDigits));
}

std::uint64_t Numbers::next(WallTime now) {
  last_ = std::max(last_ + 1, milliseconds_of(now));
  return last_;
}

bool Freshness::is_timely(std::uint64_t number, WallTime now) {
  const std::uint64_t here = milliseconds_of(now);
  const std::uint64_t apart = number > here ? number - here : here - number;
  return apart <= milliseconds_of(WallTime(kMaxSkew));
}

Freshness::Verdict Freshness::accept(const std::string& node, std::string_view run, std::uint64_t number,
                                     WallTime now) {
  const auto found = latest_.find(node);
  const bool is_known = found != latest_.end();
  if (is_known && run == found->second.run) {
    // A node whose clock was set back continues with numbers of the future. They are accepted, since nobody
    // else can have them.
    if (number <= found->second.number) return Verdict::repeated;
    if (number < milliseconds_of(now) && !is_timely(number, now)) return Verdict::untimely;
    found->second.number = number;
    return Verdict::fresh;
  }
  if (!is_timely(number, now)) return Verdict::untimely;
  // A run from before the clock was set back may have a greater name than the present run.
  if (is_known && run < found->second.run && is_timely(found->second.number, now)) return Verdict::superseded;
  latest_[node] = {std::string(run), number};
  return Verdict::fresh;
}

void Freshness::forget_old(WallTime now) {
  std::erase_if(latest_, [&](const auto& entry) {
    return entry.second.number < milliseconds_of(now) && !is_timely(entry.second.number, now);
  });
}

}  // namespace turnpike::cluster
