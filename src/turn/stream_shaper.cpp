#include "turnpike/turn/stream_shaper.hpp"

#include <algorithm>

namespace turnpike::turn {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint32_t kPiecesPerSecond = 100;
constexpr std::size_t kLeastPiece = 512;  // less would cost more in headers than it carries
constexpr std::size_t kMaxPiece = 64 << 10;
constexpr std::size_t kMaxAhead = 18 << 10;  // the longest TLS record

constexpr nanoseconds kLeastPause = std::chrono::milliseconds(5);
// A stream looks again after this time at the latest, since the limits may have changed.
constexpr Duration kMaxPause = std::chrono::seconds(1);
// A stream that has had less than its share may catch up for at most this time.
constexpr Duration kMaxLag = std::chrono::seconds(1);

}  // namespace

StreamLimits find_stream_limits(const Limits& limits, const SharedBudgets& budgets, ByteBudgets& server,
                                Direction direction) {
  StreamLimits all;
  if (!limits.shapes_traffic()) return all;
  const auto add = [&](LimitKey key, ByteBudget& budget, std::uint32_t per_second) {
    if (per_second != 0) all.push_back({key, &budget, per_second});
  };
  add(LimitKey::bytes_per_second_per_allocation, budgets.allocation->of(direction),
      limits.bytes_per_second_per_allocation);
  add(LimitKey::bytes_per_second_per_user, budgets.user->of(direction),
      budgets.user->limit_here(direction, limits.bytes_per_second_per_user));
  add(LimitKey::bytes_per_second, server.of(direction), limits.bytes_per_second);
  return all;
}

std::size_t StreamShaper::most_at_once(const StreamLimits& limits) {
  std::size_t most = kMaxPiece;
  for (const StreamLimit& each : limits) {
    most = std::min(most, std::max<std::size_t>(each.per_second / kPiecesPerSecond, kLeastPiece));
  }
  return most;
}

std::optional<StreamShaper::Pause> StreamShaper::pause(const StreamLimits& limits, SteadyTime now,
                                                       crypto::Random& random) {
  const StreamLimit* latest = nullptr;
  SteadyTime ready = now;
  for (const StreamLimit& each : limits) {
    const SteadyTime at = each.budget->find_time_for_stream(each.per_second, now);
    if (at <= ready) continue;
    ready = at;
    latest = &each;
  }
  if (!latest) return std::nullopt;
  waiting_ = latest->budget->wait();
  const nanoseconds piece =
      std::max(ByteBudget::time_for(most_at_once(limits), latest->per_second), kLeastPause);
  const nanoseconds spread = std::min<nanoseconds>(piece * latest->budget->waiting() / 4, kMaxPause);
  const auto bound = std::chrono::duration_cast<Duration>(spread).count() + 1;
  const SteadyTime turn(std::chrono::duration_cast<Duration>(turn_));
  const Duration extra(random.below(static_cast<std::uint32_t>(bound)));
  return Pause{std::min(std::max(ready, turn) + extra, now + kMaxPause), latest->key};
}

void StreamShaper::spend(const StreamLimits& limits, std::size_t taken, std::size_t relayed, SteadyTime now) {
  const std::size_t least = relayed - std::min(relayed, paid_ahead_);
  const std::size_t octets = std::clamp(taken, least, relayed + kMaxAhead - paid_ahead_);
  paid_ahead_ += octets - relayed;
  nanoseconds share{};
  for (const StreamLimit& each : limits) {
    each.budget->charge(octets, each.per_second, now);
    share = std::max(share, ByteBudget::time_for(octets, each.per_second) * (each.budget->waiting() + 1));
  }
  turn_ = std::max<nanoseconds>(turn_, (now - kMaxLag).time_since_epoch()) +
          std::min<nanoseconds>(share, kMaxPause);
}

}  // namespace turnpike::turn
