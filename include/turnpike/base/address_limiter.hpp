// Limits how often one source address may have something. Each source has a token bucket. The table of
// buckets has a fixed size, so strangers cannot make it grow. TURN limits the answers to requests without a
// valid nonce with it; signaling limits the credentials that it makes.
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
  // A source has `per_second` tokens each second, and at most `burst` at once. A rate of 0 means no limit.
  // `key` hashes the sources, so that a stranger cannot choose a place in the table, neither its own nor
  // another's.
  AddressLimiter(std::uint32_t per_second, std::uint64_t burst, const HashKey& key);

  // Changes the rate and the burst. Any thread may call it.
  void set_limit(std::uint32_t per_second, std::uint64_t burst);

  // Takes a token. Returns false when the source has none left. Use this for a source that has proved that it
  // receives what is sent to its address.
  bool take(const IpAddress& source, SteadyTime now);

  // The same for requests that anybody can send in the name of this source. A strict limit would let an
  // attacker take all tokens and lock the real source out. Therefore, while no token is left, each request is
  // allowed by chance. The probability is the limit divided by the request rate of this source, and at least
  // one in kLeastChance. The limit counts as a third higher here, since clients send a request up to seven
  // times (RFC 8489 §6.2.1): at 1,400 requests a second with a limit of 500, 99 of 100 clients get an answer.
  bool take_unproven(const IpAddress& source, SteadyTime now);

  static constexpr std::uint32_t kLeastChance = 16;  // the smallest probability is one in this many

 private:
  struct Bucket {
    std::uint64_t source = 0;  // hash of the source; 0 means that the bucket was never used
    SteadyTime refilled{};
    std::uint64_t millitokens = 0;
    // The number of requests in the second of `refilled`, and in the second before it.
    std::uint32_t asked = 0;
    std::uint32_t asked_before = 0;
  };
  // A source may use any of the four buckets of its set. A new source replaces the one that was not used for
  // the longest time.
  using Set = std::array<Bucket, 4>;
  struct Shard {
    std::mutex mutex;
    std::minstd_rand draws;  // seeded with numbers that strangers do not know
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
  // The memory comes zeroed from calloc(), so pages that are never used take no memory. Each shard has an
  // equal part of the sets, and its mutex protects that part.
  std::unique_ptr<Set[], Free> sets_;
};

}  // namespace turnpike
