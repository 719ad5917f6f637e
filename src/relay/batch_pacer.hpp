// Decides whether a worker pauses so that several datagrams gather before it receives again, as network cards
// do with interrupts. Going to sleep and waking up costs several times as much as relaying a datagram. When
// datagrams come often, but one at a time, a short pause lets one wake-up serve several of them. A pause adds
// latency, so there is none when it saves nothing: when datagrams are so rare that no other would arrive
// during the pause, or when a pass has many datagrams already. There is one exception to the last case. The
// datagrams of one flow that wait together pass through the kernel as one run, so when a pass had several
// datagrams of the same flows, a pause makes these runs longer.
#pragma once

#include <chrono>
#include <cstdint>

namespace turnpike::relay {

class BatchPacer {
 public:
  // Any clock that does not jump; it is read once in a pass.
  using Time = std::chrono::nanoseconds;

  // What a pass has relayed. A flow is all that goes to the peers of one relay, or to one client.
  struct Pass {
    std::uint64_t datagrams = 0;
    std::uint64_t flows = 0;
  };

  // A pass with this many datagrams had a batch already: each of them costs nearly as little as in a larger
  // one, if all are of different flows.
  static constexpr std::uint64_t kBatch = 16;
  // Above kBatch, there is a pause only when the datagrams are at least this many for each flow, in
  // hundredths. 125 means 1.25: runs begin to form.
  static constexpr std::uint64_t kPerFlow = 125;
  // A pass with this many datagrams is followed by no pause, because as many as it could take were waiting.
  static constexpr std::uint64_t kFullBatch = 256;
  // There is a pause only when at least this many more datagrams are expected in it, in hundredths: 60 means
  // 0.6 datagrams.
  static constexpr std::int64_t kWorth = 60;

  // `delay` is the length of each pause; 0 turns them off.
  explicit BatchPacer(std::chrono::microseconds delay) : delay_(delay) {}
  void set_delay(std::chrono::microseconds delay) { delay_ = delay; }

  // How long to pause before the next wait, after the pass that ends now, at `now`.
  std::chrono::nanoseconds pause(const Pass& pass, Time now) {
    if (pass.datagrams == 0)
      return Time(0);  // a timer, or a client's request: it says nothing about datagrams
    const Time elapsed = now - last_;
    last_ = now;
    gap_ = elapsed < kSilence
               ? gap_ + (elapsed / static_cast<std::int64_t>(pass.datagrams) - gap_) / kPassesAveraged
               : kSilence;
    const bool worth_it = delay_ * 100 >= gap_ * kWorth;
    return worth_it && gains_from_more(pass) ? Time(delay_) : Time(0);
  }

 private:
  // Whether each datagram would have cost less if more of them had come together.
  static bool gains_from_more(const Pass& pass) {
    if (pass.datagrams < kBatch) return true;
    return pass.datagrams < kFullBatch && pass.datagrams * 100 >= pass.flows * kPerFlow;
  }

  // After this time without a datagram the known rate is forgotten. A fast flow has pauses again after about
  // 24 passes.
  static constexpr Time kSilence = std::chrono::milliseconds(1);
  static constexpr int kPassesAveraged = 8;

  Time delay_;
  Time last_{};
  Time gap_ = kSilence;  // from one datagram to the next, averaged over the latest passes
};

}  // namespace turnpike::relay
