// Whether a worker does well to let datagrams gather before it looks again, as network cards do with
// interrupts. Going to sleep and being woken costs several times what relaying a datagram does, and a pass
// for few of them costs each of them more: where they come too fast to sleep in peace, a short pause after
// every pass that found little saves most of that. Who has as much to do as it can never pauses.
#pragma once

#include <cstdint>

#include "turnpike/base/time.hpp"

namespace turnpike::server {

class Gathering {
 public:
  static constexpr Duration kWindow{4};             // how long a rate is taken over
  static constexpr std::uint64_t kSlowest = 4'000;  // datagrams a second: below, nothing gathers in a pause
  static constexpr std::uint64_t kLittle = 40;      // datagrams: a pass for as many wastes nothing

  // Before each wait, with the number of datagrams relayed so far.
  bool pays(std::uint64_t relayed, SteadyTime now) {
    const bool little = relayed - relayed_last_ < kLittle;
    relayed_last_ = relayed;
    const Duration elapsed = now - window_started_;
    if (elapsed >= kWindow) {
      const std::uint64_t per_second =
          (relayed - relayed_before_) * 1000 / static_cast<std::uint64_t>(elapsed.count());
      is_fast_ = per_second >= kSlowest;
      window_started_ = now;
      relayed_before_ = relayed;
    }
    return is_fast_ && little;
  }

 private:
  SteadyTime window_started_{};
  std::uint64_t relayed_before_ = 0;  // the window,
  std::uint64_t relayed_last_ = 0;    // and the last pass
  bool is_fast_ = false;
};

}  // namespace turnpike::server
