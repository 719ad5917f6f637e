// Decides whether a worker pauses so that several datagrams gather before it receives again, as network cards
// do with interrupts. Going to sleep and waking up costs several times as much as relaying a datagram. When
// datagrams come often, but one at a time, a short pause lets one wake-up serve several of them. A pause adds
// latency, so there is none when it saves nothing: when datagrams are so rare that no other would arrive
// during the pause, or when so many wait that the worker does not sleep anyway.
#pragma once

#include <chrono>
#include <cstdint>

namespace turnpike::relay {

class BatchPacer {
 public:
  // Any clock that does not jump; it is read once in a pass.
  using Time = std::chrono::nanoseconds;

  // A pass that relayed this many datagrams had a batch already: each of them costs nearly as little as in a
  // larger one.
  static constexpr std::uint64_t kBatch = 16;
  // There is a pause only when at least this many more datagrams are expected in it, in hundredths: 60 means
  // 0.6 datagrams.
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
  // After this time without a datagram the known rate is forgotten. A fast flow has pauses again after about
  // 24 passes.
  static constexpr Time kSilence = std::chrono::milliseconds(1);
  static constexpr int kPassesAveraged = 8;

  Time delay_;
  Time last_{};
  Time gap_ = kSilence;  // from one datagram to the next, averaged over the latest passes
};

}  // namespace turnpike::relay
