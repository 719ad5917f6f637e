// A histogram for metrics: it counts how many values fell into each of several ranges.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "turnpike/base/counter.hpp"

namespace turnpike {

// The ranges end at the powers of two from 2^kFirst to 2^kLast, and include the number at which they end. One
// more range has all larger values. One thread counts while any thread may read, as with Counter.
template <unsigned kFirst, unsigned kLast>
class Histogram {
 public:
  static_assert(kFirst < kLast && kLast < 63);
  static constexpr std::size_t kRanges = kLast - kFirst + 2;

  void count(std::uint64_t value) noexcept {
    const auto power = static_cast<unsigned>(value <= 1 ? 0 : std::bit_width(value - 1));
    ++counts_[std::clamp(power, kFirst, kLast + 1) - kFirst];
    sum_ += value;
  }

  // The number of values in range `i`. The ranges do not overlap.
  std::uint64_t in_range(std::size_t i) const noexcept { return counts_[i]; }
  // The largest value that range `i` can have. The last range has none.
  static constexpr std::uint64_t end_of(std::size_t i) noexcept { return std::uint64_t{1} << (kFirst + i); }
  // The sum of all values that were counted.
  std::uint64_t sum() const noexcept { return sum_; }

  Histogram& operator+=(const Histogram& more) noexcept {
    for (std::size_t i = 0; i < kRanges; ++i) counts_[i] += more.counts_[i];
    sum_ += more.sum_;
    return *this;
  }

 private:
  std::array<Counter, kRanges> counts_{};
  Counter sum_;
};

}  // namespace turnpike
