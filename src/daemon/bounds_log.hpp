// Writes a warning when a limit refuses clients before they have an allocation, with the key, so that the
// operator can change it. relay::Warnings does this for clients with an allocation.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>

#include "relay/counters.hpp"
#include "relay/log_event.hpp"

namespace turnpike::daemon {

// Belongs to one thread. It compares the counters of the workers, so workers do no work for it.
class BoundsLog {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `write` gets a line for the log.
  explicit BoundsLog(std::function<void(const relay::LogEvent&)> write) : write_(std::move(write)) {}

  // Writes a line for each bound that has refused somebody since its last line, at most one a minute for
  // each.
  void write_lines(const relay::Totals& totals, Time now);

 private:
  static constexpr std::size_t kBounds = 6;
  struct Said {
    std::uint64_t count = 0;
    Time next{};
  };

  std::function<void(const relay::LogEvent&)> write_;
  std::array<Said, kBounds> said_{};
};

}  // namespace turnpike::daemon
