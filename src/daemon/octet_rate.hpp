// How many octets a second, out of a count that only grows.
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

  // Returns how long it has been since the last count. Within less than a second, of which a rate says
  // little, it is as if nobody had counted.
  std::optional<std::chrono::duration<double>> count(std::uint64_t octets, TimePoint now) {
    const std::chrono::duration<double> elapsed = now - since_;
    if (elapsed < std::chrono::seconds(1)) return std::nullopt;
    per_second_ = static_cast<std::uint64_t>(static_cast<double>(octets - octets_) / elapsed.count());
    octets_ = octets;
    since_ = now;
    return elapsed;
  }

  // Between the last two counts; 0 before.
  std::uint64_t per_second() const { return per_second_; }

 private:
  TimePoint since_;
  std::uint64_t octets_ = 0;
  std::uint64_t per_second_ = 0;
};

}  // namespace turnpike::daemon
