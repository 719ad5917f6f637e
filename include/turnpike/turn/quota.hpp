// Counts how many of something all users, and each user, hold over all workers: allocations, and connections
// with peers. Only requests use it; packets never do.
#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/turn/byte_budget.hpp"

namespace turnpike::turn {

class Quota;

// The limit that was reached: the user's, or the one of all users together.
enum class QuotaLimit : std::uint8_t { none, user, total };

// A user who holds at least one.
struct QuotaUser {
  QuotaUser(Quota& q, std::string_view n) : quota(q), name(n) {}

  Quota& quota;
  const std::string name;
  std::uint32_t held = 0;  // protected by the lock of the shard
  UserBudgets budgets;
  Demand demand{};  // as it was last measured; protected by the lock of the shard
};

// One place in the quota. The destructor releases it. The Quota must outlive it.
class QuotaSlot {
 public:
  QuotaSlot() = default;
  QuotaSlot(QuotaSlot&& other) noexcept : user_(std::move(other.user_)), reached_(other.reached_) {}
  QuotaSlot& operator=(QuotaSlot&& other) noexcept;
  ~QuotaSlot();

  explicit operator bool() const { return user_ != nullptr; }
  // Why take() returned this empty slot.
  QuotaLimit reached() const { return reached_; }
  // The budgets of the user, shared by all that the user holds. The slot must not be empty.
  UserBudgets& budgets() const { return user_->budgets; }
  std::shared_ptr<UserBudgets> share_budgets() const { return {user_, &user_->budgets}; }

 private:
  friend class Quota;
  explicit QuotaSlot(std::shared_ptr<QuotaUser> user) : user_(std::move(user)) {}
  explicit QuotaSlot(QuotaLimit reached) : reached_(reached) {}

  std::shared_ptr<QuotaUser> user_;
  QuotaLimit reached_ = QuotaLimit::none;
};

// Thread-safe.
class Quota {
 public:
  // A limit of 0 means no limit. `key` hashes the names, which strangers choose.
  Quota(std::uint32_t total, std::uint32_t per_user, const HashKey& key);

  // Takes a place. Returns an empty slot when the server or the user has reached the limit. With
  // `limits_user` false the limit for the user does not hold; that is for names that many clients share.
  QuotaSlot take(std::string_view user, bool limits_user = true);

  // Changes the limits. A user who already holds more keeps them. Any thread may call it.
  void set_limits(std::uint32_t total, std::uint32_t per_user) {
    total_ = total;
    per_user_ = per_user;
  }

  // The number that each user holds: of all users or, when there are more than `most`, of those who hold the
  // most. When more users hold the same number than there is room for, some of them are left out.
  using Held = std::map<std::string, std::uint32_t, std::less<>>;
  Held held_by_users(std::size_t most);
  // Sets what users hold on other servers, which counts for their limits after this call. Any thread may call
  // it.
  void set_held_elsewhere(const Held& elsewhere);
  std::uint32_t per_user() const { return per_user_; }

  // What users want to have relayed in a second.
  using Demands = std::map<std::string, Demand, std::less<>>;
  // Measures the demand of every user over the `elapsed` time since the last call. Returns those that are at
  // least `least` in one direction, and only the largest ones when there are more than `most` of them.
  // `limit` is bytes_per_second_per_user.
  Demands measure_demands(std::chrono::duration<double> elapsed, std::uint32_t limit, std::uint64_t least,
                          std::size_t most);
  // Gives each user the share of `limit` that is left by the demand on other servers. From any thread.
  void share_limit(std::uint32_t limit, const Demands& elsewhere);

  std::uint32_t in_use() const { return in_use_.load(std::memory_order_relaxed); }

 private:
  friend class QuotaSlot;
  void release(QuotaUser& user);

  struct Shard {
    explicit Shard(const KeyedHash& hash) : users(0, hash) {}

    std::mutex mutex;
    boost::unordered_flat_map<std::string_view, std::shared_ptr<QuotaUser>, KeyedHash> users;  // by name
    Held elsewhere;  // of the users of this shard
  };
  Shard& shard_of(std::string_view user);

  static constexpr std::size_t kShards = 16;

  std::atomic<std::uint32_t> total_;
  std::atomic<std::uint32_t> per_user_;
  KeyedHash hash_;
  std::atomic<std::uint32_t> in_use_{0};
  std::deque<Shard> shards_;
};

}  // namespace turnpike::turn
