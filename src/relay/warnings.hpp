// Writes a warning when a limit of the configuration keeps a client from being served, with the key, so that
// the operator can change it: at once for the first time, and then at most once a minute for each key. It
// also warns once when there is no memory.
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

  // Changes the values that warnings name.
  void set_limits(const turn::Limits& limits);

  // Warns that a client was refused or datagrams were dropped. `met` has one bit for each turn::LimitKey.
  void warn_about_limits(std::uint32_t met, SteadyTime now);
  // Warns that data connections had to wait.
  void warn_about_slowing(std::uint32_t met, SteadyTime now);
  void warn_about_memory();

  // Returns true when a warning about this key is due, and then starts the next minute.
  bool take_due(turn::LimitKey key, SteadyTime now);

 private:
  static constexpr Duration kInterval = std::chrono::minutes(1);

  void warn(turn::LimitKey key, std::string_view event, std::string_view what) const;

  std::atomic<bool> said_out_of_memory_{false};
  std::array<std::atomic<std::uint32_t>, turn::kLimitKeys.size()> values_{};
  std::array<std::atomic<Duration::rep>, turn::kLimitKeys.size()>
      next_{};  // steady time in ms; 0: never said
};

}  // namespace turnpike::relay
