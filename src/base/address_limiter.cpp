#include "turnpike/base/address_limiter.hpp"

#include <algorithm>
#include <new>

#include "turnpike/base/prefix.hpp"

namespace turnpike {
namespace {

constexpr std::size_t kSetsPerShard = 1024;  // 65,536 sources in all
constexpr std::uint64_t kMilli = 1000;

}  // namespace

AddressLimiter::AddressLimiter(std::uint32_t per_second, std::uint64_t burst, const HashKey& key)
    : per_second_(per_second), full_(burst * kMilli), hash_(key) {
  sets_.reset(static_cast<Set*>(std::calloc(shards_.size() * kSetsPerShard, sizeof(Set))));
  if (!sets_) throw std::bad_alloc();
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    shards_[i].draws.seed(static_cast<std::uint32_t>(hash_(std::uint64_t{i})));
  }
}

void AddressLimiter::set_limit(std::uint32_t per_second, std::uint64_t burst) {
  full_ = burst * kMilli;
  per_second_ = per_second;
}

void AddressLimiter::refill(Bucket& bucket, SteadyTime now) const {
  const auto elapsed = static_cast<std::uint64_t>(std::max(now - bucket.refilled, Duration::zero()).count());
  // After `full_` ms a bucket is full at any rate, so this does not overflow.
  const std::uint64_t gained = std::min(elapsed, full_.load()) * per_second_;
  bucket.millitokens = std::min(full_.load(), bucket.millitokens + gained);
  const SteadyTime then = bucket.refilled;
  bucket.refilled = std::max(then, now);  // another worker may have read a later time
  const auto seconds = std::chrono::floor<std::chrono::seconds>(bucket.refilled) -
                       std::chrono::floor<std::chrono::seconds>(then);
  if (seconds.count() != 0) {
    bucket.asked_before = seconds.count() == 1 ? bucket.asked : 0;
    bucket.asked = 0;
  }
}

AddressLimiter::Bucket& AddressLimiter::bucket_of(std::uint64_t key, SteadyTime now) {
  Set& set = sets_[(key >> 60) * kSetsPerShard + (key >> 1) % kSetsPerShard];
  auto bucket = std::ranges::find(set, key, &Bucket::source);
  if (bucket == set.end()) {
    bucket = std::ranges::min_element(set, {}, &Bucket::refilled);
    *bucket = {key, now, full_};
  }
  return *bucket;
}

// The rate of a source is the larger of its requests in this second so far and those in the second before.
bool AddressLimiter::draw_luck(const Bucket& bucket, Shard& shard) const {
  constexpr int kDrawnBits = 31;  // minstd_rand returns less than 2^31
  const std::uint64_t rate = std::max(bucket.asked, bucket.asked_before);
  const std::uint64_t winners = std::uint64_t{per_second_} * 4 / 3;
  return shard.draws() * std::min(rate, kLeastChance * winners) >> kDrawnBits < winners;
}

bool AddressLimiter::take(const IpAddress& source, SteadyTime now, bool is_proven) {
  if (per_second_ == 0) return true;
  const std::uint64_t key = hash_(source_block(source)) | 1;  // never 0, which means an unused bucket
  Shard& shard = shards_[key >> 60];
  const std::lock_guard lock(shard.mutex);
  Bucket& bucket = bucket_of(key, now);
  refill(bucket, now);
  if (bucket.asked != UINT32_MAX) ++bucket.asked;
  if (bucket.millitokens >= kMilli) {
    bucket.millitokens -= kMilli;
    return true;
  }
  if (is_proven) return false;
  // The rest of a token is dropped. Otherwise a sender with good timing would get every token, and all others
  // would have only the draw.
  bucket.millitokens = 0;
  return draw_luck(bucket, shard);
}

bool AddressLimiter::take(const IpAddress& source, SteadyTime now) { return take(source, now, true); }

bool AddressLimiter::take_unproven(const IpAddress& source, SteadyTime now) {
  return take(source, now, false);
}

}  // namespace turnpike
