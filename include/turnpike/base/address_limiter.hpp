// Bounds how often a source address may have something: each has a token bucket, in a table of fixed size,
// whoever fills it. TURN counts answers that needed no valid nonce, signaling the credentials that it makes.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike {

// Thread-safe. An IPv4 address or an IPv6 /64 is one source.
class AddressLimiter {
 public:
  // `per_second` times, and `burst` at once; a rate of 0 means no limit. `key` keeps strangers from choosing
  // their place, or another's.
  AddressLimiter(std::uint32_t per_second, std::uint64_t burst, const HashKey& key);

  // Takes a token; false when the source has none left.
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

  void refill(Bucket& bucket, SteadyTime now) const;

  std::uint32_t per_second_;
  std::uint64_t full_;  // millitokens
  KeyedHash hash_;
  std::array<Shard, 16> shards_;
};

}  // namespace turnpike
