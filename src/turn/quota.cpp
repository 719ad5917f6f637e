#include "turnpike/turn/quota.hpp"

#include <algorithm>
#include <array>

namespace turnpike::turn {

QuotaSlot& QuotaSlot::operator=(QuotaSlot&& other) noexcept {
  std::swap(user_, other.user_);
  std::swap(reached_, other.reached_);
  return *this;
}

QuotaSlot::~QuotaSlot() {
  if (user_) user_->quota.release(*user_);
}

Quota::Quota(std::uint32_t total, std::uint32_t per_user, const HashKey& key)
    : total_(total), per_user_(per_user), hash_(key) {
  for (std::size_t i = 0; i < kShards; ++i) shards_.emplace_back(hash_);
}

Quota::Shard& Quota::shard_of(std::string_view user) { return shards_[hash_(user) % kShards]; }

// The step that needs memory comes first, so that nothing is counted when it throws.
QuotaSlot Quota::take(std::string_view name, bool limits_user) {
  Shard& shard = shard_of(name);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.users.find(name);
  std::shared_ptr<QuotaUser> user =
      found == shard.users.end() ? std::make_shared<QuotaUser>(*this, name) : found->second;
  if (found == shard.users.end()) shard.users.emplace(user->name, user);
  const std::uint32_t total = in_use_.fetch_add(1, std::memory_order_relaxed) + 1;
  QuotaLimit reached = QuotaLimit::none;
  if (total_ != 0 && total > total_) reached = QuotaLimit::total;
  const auto elsewhere = shard.elsewhere.find(name);
  const std::uint64_t held =
      std::uint64_t{user->held} + (elsewhere == shard.elsewhere.end() ? 0 : elsewhere->second);
  if (limits_user && per_user_ != 0 && held >= per_user_) reached = QuotaLimit::user;
  if (reached != QuotaLimit::none) {
    in_use_.fetch_sub(1, std::memory_order_relaxed);
    if (user->held == 0) shard.users.erase(user->name);
    return QuotaSlot(reached);
  }
  ++user->held;
  return QuotaSlot(std::move(user));
}

// The first look counts, so that names are copied only of those who are told of.
Quota::Held Quota::held_by_users(std::size_t most) {
  std::map<std::uint32_t, std::size_t, std::greater<>> users_by_count;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [name, user] : shard.users) ++users_by_count[user->held];
  }
  std::uint32_t least = 1;
  std::size_t users = 0;
  for (const auto& [count, number] : users_by_count) {
    users += number;
    if (users <= most) continue;
    least = count + 1;
    break;
  }
  Held held;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [name, user] : shard.users) {
      if (user->held >= least && held.size() < most) held.emplace(name, user->held);
    }
  }
  return held;
}

void Quota::set_held_elsewhere(const Held& elsewhere) {
  std::array<Held, kShards> parts;
  for (const auto& [name, count] : elsewhere)
    parts[hash_(std::string_view(name)) % kShards].emplace(name, count);
  for (std::size_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    shards_[i].elsewhere = std::move(parts[i]);
  }
}

Quota::Demands Quota::measure_demands(std::chrono::duration<double> elapsed, std::uint32_t limit,
                                      std::uint64_t least, std::size_t most) {
  Demands demands;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [name, user] : shard.users) {
      user->demand = user->budgets.measure(elapsed, limit);
      const bool is_much = *std::ranges::max_element(user->demand) >= least;
      if (is_much && demands.size() < most) demands.emplace(name, user->demand);
    }
  }
  return demands;
}

void Quota::share_limit(std::uint32_t limit, const Demands& elsewhere) {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [name, user] : shard.users) {
      const auto found = elsewhere.find(name);
      user->budgets.share(limit, user->demand, found == elsewhere.end() ? Demand{} : found->second);
    }
  }
}

void Quota::release(QuotaUser& user) {
  Shard& shard = shard_of(user.name);
  const std::lock_guard lock(shard.mutex);
  if (--user.held == 0) shard.users.erase(user.name);
  in_use_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace turnpike::turn
