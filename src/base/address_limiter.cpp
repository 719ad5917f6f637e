#include "turnpike/base/address_limiter.hpp"

#include <algorithm>

#include "turnpike/base/prefix.hpp"

namespace turnpike {
namespace {

constexpr std::size_t kSetsPerShard = 1024;  // 64 Ki sources in all
constexpr std::uint64_t kMilli = 1000;

}  // namespace

AddressLimiter::AddressLimiter(std::uint32_t per_second, std::uint64_t burst, const HashKey& key)
    : per_second_(per_second), full_(burst * kMilli), hash_(key) {
  if (per_second_ == 0) return;
  for (Shard& shard : shards_) shard.sets.resize(kSetsPerShard);
}

void AddressLimiter::refill(Bucket& bucket, SteadyTime now) const {
  const auto elapsed = static_cast<std::uint64_t>(std::max(now - bucket.refilled, Duration::zero()).count());
  const std::uint64_t gained = std::min(elapsed, full_) * per_second_;  // full after so many ms at any rate
  bucket.millitokens = std::min(full_, bucket.millitokens + gained);
  bucket.refilled = std::max(bucket.refilled, now);  // another worker may be a batch ahead
}

bool AddressLimiter::allow(const IpAddress& source, SteadyTime now) {
  if (per_second_ == 0) return true;
  const std::uint64_t key = hash_(source_block(source)) | 1;
  Shard& shard = shards_[key >> 60];
  const std::lock_guard lock(shard.mutex);
  Set& set = shard.sets[(key >> 1) % kSetsPerShard];
  auto bucket = std::ranges::find(set, key, &Bucket::source);
  if (bucket == set.end()) {
    bucket = std::ranges::min_element(set, {}, &Bucket::refilled);
    *bucket = {key, now, full_};
  }
  refill(*bucket, now);
  if (bucket->millitokens < kMilli) return false;
  bucket->millitokens -= kMilli;
  return true;
}

}  // namespace turnpike
