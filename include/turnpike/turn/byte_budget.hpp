// Limits the octets that may pass in a second. Each octet costs time: at 10,000 octets a second, 1,000 octets
// cost 100 ms. A datagram of any size passes while the unpaid time is at most a tenth of a second. Therefore
// whole datagrams pass even when the limit is lower than one datagram a second.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "turnpike/base/time.hpp"

namespace turnpike::turn {

// Thread-safe, without a lock. The rate is an argument, since it may change at any time; a rate of 0 means no
// limit.
class ByteBudget {
 public:
  // Spends `size` octets. Returns false, and spends nothing, when more than a tenth of a second is unpaid.
  bool take(std::size_t size, std::uint32_t per_second, SteadyTime now) {
    if (per_second == 0) return true;
    const std::int64_t time = nanoseconds(now);
    const std::int64_t cost = cost_of(size, per_second);
    std::int64_t paid = paid_until_.load(std::memory_order_relaxed);
    while (true) {
      const std::int64_t from = paid > time ? paid : time;
      if (from - time > kMaxOwed) return false;
      if (paid_until_.compare_exchange_weak(paid, from + cost, std::memory_order_relaxed)) return true;
    }
  }

  // Spends octets that have passed already, even when too much is unpaid.
  void charge(std::size_t size, std::uint32_t per_second, SteadyTime now) {
    if (per_second == 0) return;
    const std::int64_t time = nanoseconds(now);
    std::int64_t paid = paid_until_.load(std::memory_order_relaxed);
    while (!paid_until_.compare_exchange_weak(paid, (paid > time ? paid : time) + cost_of(size, per_second),
                                              std::memory_order_relaxed)) {
    }
  }

  // Gives back octets that take() has spent, because another budget refused them.
  void refund(std::size_t size, std::uint32_t per_second) {
    if (per_second != 0) paid_until_.fetch_sub(cost_of(size, per_second), std::memory_order_relaxed);
  }

  // The earliest time at which take() can return true; in the past when it can now.
  SteadyTime ready_at() const {
    const std::int64_t at = paid_until_.load(std::memory_order_relaxed) - kMaxOwed;
    return SteadyTime(Duration((at + kPerMillisecond - 1) / kPerMillisecond));
  }

 private:
  static constexpr std::int64_t kPerMillisecond = 1'000'000;
  static constexpr std::int64_t kMaxOwed = 100 * kPerMillisecond;

  static std::int64_t nanoseconds(SteadyTime time) {
    return time.time_since_epoch().count() * kPerMillisecond;
  }
  static std::int64_t cost_of(std::size_t size, std::uint32_t per_second) {
    return static_cast<std::int64_t>(size * 1'000'000'000 / per_second);
  }

  std::atomic<std::int64_t> paid_until_{0};  // steady time in nanoseconds
};

enum class Direction : std::uint8_t { from_client, to_client };

// One budget of payload for each direction.
class ByteBudgets {
 public:
  ByteBudget& of(Direction direction) { return budgets_[static_cast<std::size_t>(direction)]; }

 private:
  std::array<ByteBudget, 2> budgets_;
};

// The budgets of one allocation and of its user, for a worker that relays for an allocation of another
// worker.
struct SharedBudgets {
  std::shared_ptr<ByteBudgets> allocation;
  std::shared_ptr<ByteBudgets> user;
};

}  // namespace turnpike::turn
