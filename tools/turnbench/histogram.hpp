// Counts latencies in buckets with a width of at most 1/32 of the value, so that memory does not grow with
// the samples.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace turnpike::bench {

class Histogram {
 public:
  void add(std::int64_t nanoseconds) {
    ++counts_[bucket_of(nanoseconds > 0 ? static_cast<std::uint64_t>(nanoseconds) : 0)];
    ++total_;
  }

  std::uint64_t total() const { return total_; }

  // The upper end of the bucket below which `fraction` of the samples are; 0 without samples.
  std::uint64_t percentile(double fraction) const {
    const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen > 0 && seen >= wanted) return upper_edge(bucket);
    }
    return 0;
  }

 private:
  static constexpr unsigned kSubBits = 5;
  static constexpr std::uint64_t kSub = 1U << kSubBits;

  // Each value below 32 has its own bucket. For other values, the exponent and the next five bits select the
  // bucket.
  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kSub) return static_cast<std::size_t>(value);
    const unsigned exponent = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return (exponent + 1) * kSub + (value >> exponent) - kSub;
  }

  static std::uint64_t upper_edge(std::size_t bucket) {
    if (bucket < kSub) return bucket;
    const unsigned exponent = static_cast<unsigned>(bucket / kSub) - 1;
    return (bucket % kSub + kSub + 1) << exponent;
  }

  std::array<std::uint64_t, (64 - kSubBits + 1) * kSub> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace turnpike::bench
