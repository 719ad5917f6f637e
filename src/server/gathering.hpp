// Whether a worker does well to let datagrams gather before it looks again. Going to sleep and being woken
// costs several times what relaying a datagram does; where they come too slowly to keep the loop awake and
// too fast for it to sleep in peace, a short pause in each pass saves most of that, as network cards do with
// interrupts.
#pragma once

#include <cstdint>

#include "turnpike/base/time.hpp"

namespace turnpike::server {

class Gathering {
 public:
  static constexpr Duration kWindow{4};               // how long a rate is taken over
  static constexpr std::uint64_t kSlowest = 4'000;    // datagrams a second: below, nothing gathers in a pause
  static constexpr std::uint64_t kFastest = 100'000;  // above, the loop hardly ever sleeps

  // Before each wait, with the number of datagrams relayed so far.
  bool pays(std::uint64_t relayed, SteadyTime now) {
    const Duration elapsed = now - window_started_;
    if (elapsed >= kWindow) {
      const std::uint64_t per_second =
          (relayed - relayed_before_) * 1000 / static_cast<std::uint64_t>(elapsed.count());
      pays_ = per_second >= kSlowest && per_second <= kFastest;
      window_started_ = now;
      relayed_before_ = relayed;
    }
    return pays_;
  }

 private:
  SteadyTime window_started_{};
  std::uint64_t relayed_before_ = 0;
  bool pays_ = false;
};

}  // namespace turnpike::server
