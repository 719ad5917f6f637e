// Computes octets per second from a counter that only grows.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace turnpike::daemon {

class OctetRate {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // The count is 0 at the beginning.
  explicit OctetRate(TimePoint begin) : since_(begin) {}

  // Computes the rate since the last count, and returns the time since then. Does nothing, and returns
  // nothing, when that is less than a second.
  std::optional<std::chrono::duration<double>> count(std::uint64_t octets, TimePoint now) {
    const std::chrono::duration<double> elapsed = now - since_;
    if (elapsed < std::chrono::seconds(1)) return std::nullopt;
    per_second_ = static_cast<std::uint64_t>(static_cast<double>(octets - octets_) / elapsed.count());
    octets_ = octets;
    since_ = now;
    return elapsed;
  }

  // The rate between the last two counts; 0 before the first.
  std::uint64_t per_second() const { return per_second_; }

 private:
  TimePoint since_;
  std::uint64_t octets_ = 0;
  std::uint64_t per_second_ = 0;
};

}  // namespace turnpike::daemon
