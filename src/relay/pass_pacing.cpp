#include "relay/pass_pacing.hpp"

#include <time.h>

#include <utility>

namespace turnpike::relay {
namespace {

std::chrono::nanoseconds monotonic_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

void sleep_for(std::chrono::nanoseconds duration) {
  const timespec time{0, duration.count()};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

// Returns the number of datagrams that came in and were relayed. A datagram between two relays of this worker
// came in once, but both counters contain it.
std::uint64_t count_relayed(const turn::Counters& counters) {
  return counters.to_peer + counters.to_client - counters.relay_to_relay;
}

}  // namespace

void PassPacing::set_delay(std::chrono::microseconds delay) {
  timer_.set_period(delay);
  pacer_.set_delay(timer_.period());
}

void PassPacing::begin(const turn::Counters& counters) {
  began_ = monotonic_now();
  relayed_before_ = count_relayed(counters);
}

void PassPacing::end(const turn::Counters& counters) {
  const std::uint64_t relayed = count_relayed(counters) - relayed_before_;
  const std::chrono::nanoseconds now = monotonic_now();
  histograms_.pass_ns.count(static_cast<std::uint64_t>((now - began_).count()));
  histograms_.pass_datagrams.count(relayed);
  const Pause pause = pacer_.decide({relayed, std::exchange(flows_, 0), began_, now});
  if (pause == Pause::none) return;
  sleep(pause, now);
  histograms_.pause_ns.count(static_cast<std::uint64_t>((monotonic_now() - now).count()));
}

void PassPacing::sleep(Pause pause, std::chrono::nanoseconds now) {
  if (pause == Pause::short_one) return timer_.wait(now);
  sleep_for(pacer_.delay());
}

}  // namespace turnpike::relay
