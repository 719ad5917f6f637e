// How many of something there are, in all and for each user, over all workers: allocations, and connections
// with peers. Requests come here, packets never do.
#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "turnpike/base/keyed_hash.hpp"

namespace turnpike::turn {

class Quota;

// Why there is no place: the user holds as many as it may, or else all together do.
enum class QuotaLimit : std::uint8_t { none, user, total };

// The place of one of them in the quota, which the destructor releases. The Quota outlives it.
class QuotaSlot {
 public:
  QuotaSlot() = default;
  QuotaSlot(QuotaSlot&& other) noexcept
      : quota_(std::exchange(other.quota_, nullptr)),
        user_(std::move(other.user_)),
        reached_(other.reached_) {}
  QuotaSlot& operator=(QuotaSlot&& other) noexcept;
  ~QuotaSlot();

  explicit operator bool() const { return quota_ != nullptr; }
  // Of a slot that take() returned empty.
  QuotaLimit reached() const { return reached_; }

 private:
  friend class Quota;
  QuotaSlot(Quota* quota, std::string user) : quota_(quota), user_(std::move(user)) {}
  explicit QuotaSlot(QuotaLimit reached) : reached_(reached) {}

  Quota* quota_ = nullptr;
  std::string user_;
  QuotaLimit reached_ = QuotaLimit::none;
};

// Thread-safe.
class Quota {
 public:
  // 0 means no limit. `key` is for the table of names, which strangers choose.
  Quota(std::uint32_t total, std::uint32_t per_user, const HashKey& key);

  // An empty slot when the server or the user holds as many as it may. With `limits_user` false the limit of
  // the user does not hold, as for a name that many clients share.
  QuotaSlot take(std::string_view user, bool limits_user = true);

  // From now on these hold. Whoever holds more than that keeps it. From any thread.
  void set_limits(std::uint32_t total, std::uint32_t per_user) {
    total_ = total;
    per_user_ = per_user;
  }

  std::uint32_t in_use() const { return in_use_.load(std::memory_order_relaxed); }

 private:
  friend class QuotaSlot;
  void release(const std::string& user);

  struct Shard {
    explicit Shard(const KeyedHash& hash) : held(0, hash) {}

    std::mutex mutex;
    boost::unordered_flat_map<std::string, std::uint32_t, KeyedHash> held;
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
