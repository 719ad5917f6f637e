// Says in the log which bound keeps clients out before they have an allocation, so that the operator finds
// the key to change. What clients with an allocation run into is said by relay::Warnings.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "relay/counters.hpp"

namespace turnpike::daemon {

// For one thread. It compares what workers have counted, so it costs no worker anything.
class BoundsLog {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `write` gets a line for the log.
  explicit BoundsLog(std::function<void(const std::string&)> write) : write_(std::move(write)) {}

  // Writes a line for each bound that has refused somebody since its last line, at most one a minute for
  // each.
  void look(const relay::Totals& totals, Time now);

 private:
  static constexpr std::size_t kBounds = 6;
  struct Said {
    std::uint64_t count = 0;
    Time next{};
  };

  std::function<void(const std::string&)> write_;
  std::array<Said, kBounds> said_{};
};

}  // namespace turnpike::daemon
