#include "turnpike/turn/quota.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace turnpike::turn {
namespace {

// Decides for each number whether it is among the `most` largest ones. Of several equal numbers it may accept
// only some.
class Largest {
 public:
  Largest(std::vector<std::uint64_t> numbers, std::size_t most) : room_(most) {
    if (numbers.size() <= most || most == 0) return;
    const auto last = numbers.begin() + static_cast<std::ptrdiff_t>(most - 1);
    std::ranges::nth_element(numbers, last, std::greater());
    least_ = *last;
    room_for_least_ = most - static_cast<std::size_t>(std::count_if(
                                 numbers.begin(), last, [&](std::uint64_t one) { return one > least_; }));
  }

  // Returns whether the number is among the largest and there is still room for it, and takes the room.
  bool take(std::uint64_t number) {
    if (room_ == 0 || number < least_) return false;
    if (number == least_ && room_for_least_ == 0) return false;
    if (number == least_) --room_for_least_;
    --room_;
    return true;
  }

 private:
  std::size_t room_;
  std::uint64_t least_ = 0;  // the smallest number that is accepted
  std::size_t room_for_least_ = SIZE_MAX;
};

std::uint64_t larger_of(const Demand& demand) { return *std::ranges::max_element(demand); }

}  // namespace

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

// The first pass only counts, so that the second one copies no more names than it returns.
Quota::Held Quota::held_by_users(std::size_t most) {
  std::vector<std::uint64_t> counts;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [name, user] : shard.users) counts.push_back(user->held);
  }
  Largest largest(std::move(counts), most);
  Held held;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [name, user] : shard.users) {
      if (largest.take(user->held)) held.emplace(name, user->held);
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
  std::vector<std::uint64_t> wanted;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [name, user] : shard.users) {
      user->demand = user->budgets.measure(elapsed, limit);
      if (const std::uint64_t most_wanted = larger_of(user->demand); most_wanted >= least)
        wanted.push_back(most_wanted);
    }
  }
  Largest largest(std::move(wanted), most);
  Demands demands;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [name, user] : shard.users) {
      const std::uint64_t most_wanted = larger_of(user->demand);
      if (most_wanted >= least && largest.take(most_wanted)) demands.emplace(name, user->demand);
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
