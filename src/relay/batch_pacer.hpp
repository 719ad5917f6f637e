// Whether a worker does well to let datagrams gather before it looks again, as network cards do with
// interrupts. Going to sleep and being woken costs several times what relaying a datagram does, and a pass
// for few of them costs each of them more: where they come too fast to sleep in peace, a short pause after
// every pass that found little saves most of that. Who has as much to do as it can never pauses.
#pragma once

#include <chrono>
#include <cstdint>

#include "turnpike/base/time.hpp"

namespace turnpike::relay {

class BatchPacer {
 public:
  using Pause = std::chrono::microseconds;

  static constexpr Duration kWindow{4};             // how long a rate is taken over
  static constexpr std::uint64_t kSlowest = 4'000;  // datagrams a second: below, nothing gathers in a pause
  static constexpr std::uint64_t kLittle = 64;      // datagrams: a pass for as many wastes nothing
  static constexpr Pause kPause{200};               // a fiftieth of what a jitter buffer holds
  // From this rate on processor time is what is short.
  static constexpr std::uint64_t kBusy = 100'000;
  static constexpr Pause kBusyPause{300};

  // How long to pause before each wait, with the number of datagrams relayed so far.
  Pause pause(std::uint64_t relayed, SteadyTime now) {
    const bool little = relayed - relayed_last_ < kLittle;
    relayed_last_ = relayed;
    const Duration elapsed = now - window_started_;
    if (elapsed >= kWindow) {
      const std::uint64_t per_second =
          (relayed - relayed_before_) * 1000 / static_cast<std::uint64_t>(elapsed.count());
      pause_ = per_second < kSlowest ? Pause(0) : per_second < kBusy ? kPause : kBusyPause;
      window_started_ = now;
      relayed_before_ = relayed;
    }
    return little ? pause_ : Pause(0);
  }

 private:
  SteadyTime window_started_{};
  std::uint64_t relayed_before_ = 0;  // the window,
  std::uint64_t relayed_last_ = 0;    // and the last pass
  Pause pause_{};
};

}  // namespace turnpike::relay
