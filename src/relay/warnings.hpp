// Says in the log what keeps this server from serving somebody. Which limit of the configuration it was, so
// that the operator finds the key to change: the first time at once, and then at most once a minute for each.
// And once that there is no memory.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "turnpike/base/time.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::relay {

// Shared by all workers. Thread-safe.
class Warnings {
 public:
  explicit Warnings(const turn::Limits& limits) { set_limits(limits); }

  // The values that are named from now on.
  void set_limits(const turn::Limits& limits);

  // `met` has one bit for each turn::LimitKey. A client was refused, or datagrams were dropped.
  void limits(std::uint32_t met, SteadyTime now);
  // Data connections had to wait.
  void slowed(std::uint32_t met, SteadyTime now);
  void out_of_memory();

  // Whether it is time to say so; if it is, the minute begins again.
  bool is_due(turn::LimitKey key, SteadyTime now);

 private:
  static constexpr Duration kInterval = std::chrono::minutes(1);

  void warn(turn::LimitKey key, std::string_view event, std::string_view what) const;

  std::atomic<bool> said_out_of_memory_{false};
  std::array<std::atomic<std::uint32_t>, turn::kLimitKeys.size()> values_{};
  std::array<std::atomic<Duration::rep>, turn::kLimitKeys.size()>
      next_{};  // steady time in ms; 0: never said
};

}  // namespace turnpike::relay
