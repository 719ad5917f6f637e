#include "turnpike/turn/quota.hpp"

namespace turnpike::turn {

QuotaSlot& QuotaSlot::operator=(QuotaSlot&& other) noexcept {
  std::swap(quota_, other.quota_);
  std::swap(user_, other.user_);
  std::swap(reached_, other.reached_);
  return *this;
}

QuotaSlot::~QuotaSlot() {
  if (quota_) quota_->give_back(user_);
}

Quota::Quota(std::uint32_t allocations, std::uint32_t allocations_per_user, const HashKey& key)
    : allocations_(allocations), per_user_(allocations_per_user), hash_(key) {
  for (std::size_t i = 0; i < kShards; ++i) shards_.emplace_back(hash_);
}

Quota::Shard& Quota::shard_of(std::string_view user) { return shards_[hash_(user) % kShards]; }

QuotaSlot Quota::take(std::string_view user) {
  QuotaSlot slot(this, user);
  QuotaLimit reached = QuotaLimit::none;
  Shard& shard = shard_of(user);
  {
    const std::lock_guard lock(shard.mutex);
    std::uint32_t& held = shard.held[slot.user_];
    ++held;
    const std::uint32_t total = in_use_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (allocations_ != 0 && total > allocations_) reached = QuotaLimit::total;
    if (per_user_ != 0 && held > per_user_) reached = QuotaLimit::user;
    if (reached == QuotaLimit::none) return slot;
  }
  return QuotaSlot(reached);  // and `slot` takes back what was counted
}

void Quota::give_back(const std::string& user) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  const auto held = shard.held.find(user);
  if (--held->second == 0) shard.held.erase(held);
  in_use_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace turnpike::turn
