// Bounds how often a source address may have something: each has a token bucket, in a table of fixed size,
// whoever fills it. TURN counts answers that needed no valid nonce, signaling the credentials that it makes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>

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

  // From now on this rate and this burst hold. From any thread.
  void set_limit(std::uint32_t per_second, std::uint64_t burst);

  // Takes a token; false when the source has none left. This is for sources that have shown that they are
  // where they say they are.
  bool allow(const IpAddress& source, SteadyTime now);

  // The same for what anybody can ask in the name of this source. A strict limit would let whoever does so
  // lock the source out: its tokens go to whoever asks most often. So while no token is left each request is
  // drawn for, with the probability of the limit divided by the rate at which this source asks, and of one in
  // kLeastChance at least. The limit is taken a third higher for that, since clients try seven times (RFC
  // 8489 §6.2.1): at 1,400 requests a second of which 500 are allowed, 99 of 100 clients then have an answer.
  bool allow_unproven(const IpAddress& source, SteadyTime now);

  static constexpr std::uint32_t kLeastChance = 16;  // one in so many

 private:
  struct Bucket {
    std::uint64_t source = 0;  // hash; 0 = never used
    SteadyTime refilled{};
    std::uint64_t millitokens = 0;
    // Requests in the second of `refilled`, and in the one before.
    std::uint32_t asked = 0;
    std::uint32_t asked_before = 0;
  };
  // A source may lie in any of the few buckets of its set; the one that has rested longest makes room.
  using Set = std::array<Bucket, 4>;
  struct Shard {
    std::mutex mutex;
    std::minstd_rand luck;  // seeded with what strangers do not know
  };
  struct Free {
    void operator()(Set* sets) const { std::free(sets); }
  };

  Bucket& bucket_of(std::uint64_t key, SteadyTime now);
  void refill(Bucket& bucket, SteadyTime now) const;
  bool draw_luck(const Bucket& bucket, Shard& shard) const;
  bool take(const IpAddress& source, SteadyTime now, bool is_proven);

  std::atomic<std::uint32_t> per_second_;
  std::atomic<std::uint64_t> full_;  // millitokens
  KeyedHash hash_;
  std::array<Shard, 16> shards_;
  // Zero from calloc(), so that what nobody uses takes no memory. Each shard has an equal part, under its
  // mutex.
  std::unique_ptr<Set[], Free> sets_;
};

}  // namespace turnpike
