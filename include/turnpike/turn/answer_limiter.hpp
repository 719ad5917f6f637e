// Bounds what a stranger can make the server send: each source address has a token bucket for answers that
// needed no valid nonce, so that a spoofed source is not worth spoofing. The table has a fixed size, whoever
// fills it.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::turn {

// Thread-safe. An IPv4 address or an IPv6 /64 is one source.
class AnswerLimiter {
 public:
  // `per_second` answers, and twice that at once; 0 means no limit. `seed` keeps strangers from choosing
  // their place.
  AnswerLimiter(std::uint32_t per_second, std::uint64_t seed);

  // Takes a token; false when the source has none left, and nothing is to be sent.
  bool allow(const IpAddress& source, SteadyTime now);

 private:
  struct Bucket {
    std::uint64_t source = 0;  // hash; 0 = never used
    SteadyTime refilled{};
    std::uint64_t millitokens = 0;
  };
  // A source may lie in any of the few buckets of its set; the one that has rested longest makes room.
  using Set = std::array<Bucket, 4>;
  struct Shard {
    std::mutex mutex;
    std::vector<Set> sets;
  };

  std::uint64_t hash(const IpAddress& source) const;
  std::uint64_t full() const { return std::uint64_t{2000} * per_second_; }
  void refill(Bucket& bucket, SteadyTime now) const;

  std::uint32_t per_second_;
  std::uint64_t seed_;
  std::array<Shard, 16> shards_;
};

}  // namespace turnpike::turn
