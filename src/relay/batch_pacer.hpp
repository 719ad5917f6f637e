// Decides whether a worker lets datagrams gather before it looks again, as network cards do with interrupts.
// Going to sleep and being woken costs several times what relaying a datagram does. Where datagrams come
// often, but one at a time, a short pause lets one wake-up serve several of them. It costs each of them
// latency, so there is none where it saves nothing: where datagrams come so seldom that nobody else would
// arrive meanwhile, and where so many wait that the worker does not sleep anyway.
#pragma once

#include <chrono>
#include <cstdint>

namespace turnpike::relay {

class BatchPacer {
 public:
  // Any clock that does not jump; it is read once in a pass.
  using Time = std::chrono::nanoseconds;

  // A pass that found as many has a batch already: a datagram costs nearly what it costs in a large one.
  static constexpr std::uint64_t kBatch = 16;
  // The pause is worth it where at least so many more datagrams can be expected in it, in hundredths.
  static constexpr std::int64_t kWorth = 60;

  // `delay` is the length of each pause; 0 turns them off.
  explicit BatchPacer(std::chrono::microseconds delay) : delay_(delay) {}
  void set_delay(std::chrono::microseconds delay) { delay_ = delay; }

  // How long to pause before the next wait. The pass that ends now, at `now`, has relayed `found` datagrams.
  std::chrono::nanoseconds pause(std::uint64_t found, Time now) {
    if (found == 0) return Time(0);  // a timer, or a client's request: it says nothing about datagrams
    const Time elapsed = now - last_;
    last_ = now;
    gap_ = elapsed < kSilence ? gap_ + (elapsed / static_cast<std::int64_t>(found) - gap_) / kPassesAveraged
                              : kSilence;
    const bool worth_it = delay_ * 100 >= gap_ * kWorth;
    return worth_it && found < kBatch ? Time(delay_) : Time(0);
  }

 private:
  // After so long what was known of the rate is void; a fast flow has pauses again within two dozen passes.
  static constexpr Time kSilence = std::chrono::milliseconds(1);
  static constexpr int kPassesAveraged = 8;

  Time delay_;
  Time last_{};
  Time gap_ = kSilence;  // from one datagram to the next, averaged over the latest passes
};

}  // namespace turnpike::relay
