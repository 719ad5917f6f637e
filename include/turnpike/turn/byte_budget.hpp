// Limits the octets that may pass in a second. Each octet costs time: at 10,000 octets a second, 1,000 octets
// cost 100 ms. A datagram of any size passes while the unpaid time is at most a tenth of a second. Therefore
// whole datagrams pass even when the limit is lower than one datagram a second. A stream can wait, and so it
// may use less of this time than datagrams; see StreamShaper.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "turnpike/base/time.hpp"

namespace turnpike::turn {

// Thread-safe, without a lock. The rate is an argument, since it may change at any time; a rate of 0 means no
// limit. When the rate rises, the same octets take less time to pay, also those that have passed before.
class ByteBudget {
 public:
  // Spends `size` octets. Returns false, and spends nothing, when more than a tenth of a second is unpaid.
  bool take(std::size_t size, std::uint32_t per_second, SteadyTime now) {
    if (per_second == 0) return true;
    const std::int64_t time = nanoseconds(now);
    follow_rate(per_second, time);
    const std::int64_t cost = cost_of(size, per_second);
    std::int64_t paid = paid_until_.load(std::memory_order_relaxed);
    while (true) {
      const std::int64_t from = paid > time ? paid : time;
      if (from - time > kMaxOwed) return false;
      if (paid_until_.compare_exchange_weak(paid, from + cost, std::memory_order_relaxed)) return true;
    }
  }

  // Gives back octets that take() has spent, because another budget refused them.
  void refund(std::size_t size, std::uint32_t per_second) {
    if (per_second != 0) paid_until_.fetch_sub(cost_of(size, per_second), std::memory_order_relaxed);
  }

  // --- Streams. The rate must not be 0.
  // Spends octets of a stream that have passed already.
  void charge(std::size_t size, std::uint32_t per_second, SteadyTime now) {
    const std::int64_t time = nanoseconds(now);
    follow_rate(per_second, time);
    const std::int64_t cost = cost_of(size, per_second);
    const std::int64_t owed = add(paid_until_, cost, time);
    if (owed > kMaxOwedByStreams) add(reserve_paid_until_, cost * kReserve, time);
  }
  // Returns the earliest time at which a stream may pass on octets; not later than `now` when it may now.
  // Streams may pass while little is unpaid, so that those who send few datagrams always find room beside
  // them. Beside those who send datagrams without end, streams still have a quarter of the rate.
  SteadyTime find_time_for_stream(std::uint32_t per_second, SteadyTime now) {
    follow_rate(per_second, nanoseconds(now));
    const std::int64_t at = std::min(paid_until_.load(std::memory_order_relaxed) - kMaxOwedByStreams,
                                     reserve_paid_until_.load(std::memory_order_relaxed));
    return SteadyTime(Duration((at + kPerMillisecond - 1) / kPerMillisecond));
  }

  struct StopWaiting {
    void operator()(ByteBudget* budget) const { budget->waiting_.fetch_sub(1, std::memory_order_relaxed); }
  };
  using Waiting = std::unique_ptr<ByteBudget, StopWaiting>;
  // Counts a stream that waits for this budget, as long as the result exists. The budget must outlive it.
  [[nodiscard]] Waiting wait() {
    waiting_.fetch_add(1, std::memory_order_relaxed);
    return Waiting(this);
  }
  // How many streams wait, of all workers.
  std::uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

  // The time that it takes to pay for so many octets.
  static std::chrono::nanoseconds time_for(std::size_t size, std::uint32_t per_second) {
    return std::chrono::nanoseconds(cost_of(size, per_second));
  }

 private:
  static constexpr std::int64_t kPerMillisecond = 1'000'000;
  static constexpr std::int64_t kMaxOwed = 100 * kPerMillisecond;
  static constexpr std::int64_t kMaxOwedByStreams = 40 * kPerMillisecond;
  static constexpr std::int64_t kReserve = 4;  // streams always get at least 1 / kReserve of the rate

  static std::int64_t nanoseconds(SteadyTime time) {
    return time.time_since_epoch().count() * kPerMillisecond;
  }
  static std::int64_t cost_of(std::size_t size, std::uint32_t per_second) {
    return static_cast<std::int64_t>(size * 1'000'000'000 / per_second);
  }
  // Returns what was unpaid before.
  static std::int64_t add(std::atomic<std::int64_t>& paid_until, std::int64_t cost, std::int64_t time) {
    std::int64_t paid = paid_until.load(std::memory_order_relaxed);
    while (!paid_until.compare_exchange_weak(paid, std::max(paid, time) + cost, std::memory_order_relaxed)) {
    }
    return paid - time;
  }

  void follow_rate(std::uint32_t per_second, std::int64_t time) {
    if (rate_.load(std::memory_order_relaxed) == per_second) return;
    const std::uint32_t former = rate_.exchange(per_second, std::memory_order_relaxed);
    if (former >= per_second) return;  // also true when another thread has handled the change
    const double factor = static_cast<double>(former) / per_second;
    for (std::atomic<std::int64_t>* const paid_until : {&paid_until_, &reserve_paid_until_}) {
      std::int64_t paid = paid_until->load(std::memory_order_relaxed);
      while (paid > time) {
        const auto owed = static_cast<std::int64_t>(static_cast<double>(paid - time) * factor);
        if (paid_until->compare_exchange_weak(paid, time + owed, std::memory_order_relaxed)) break;
      }
    }
  }

  std::atomic<std::int64_t> paid_until_{0};          // steady time in nanoseconds
  std::atomic<std::int64_t> reserve_paid_until_{0};  // the same for the reserved part of streams
  std::atomic<std::uint32_t> rate_{0};               // the rate for which the unpaid time was computed
  std::atomic<std::uint32_t> waiting_{0};            // streams
};

enum class Direction : std::uint8_t { from_client, to_client };

// One budget of payload for each direction.
class ByteBudgets {
 public:
  ByteBudget& of(Direction direction) { return budgets_[static_cast<std::size_t>(direction)]; }

 private:
  std::array<ByteBudget, 2> budgets_;
};

// The budgets of one allocation, and what its data connections have carried (RFC 6062). These may belong to
// another worker than the allocation.
class AllocationBudgets : public ByteBudgets {
 public:
  void count_streamed(Direction direction, std::size_t size) {
    streamed_[static_cast<std::size_t>(direction)].fetch_add(size, std::memory_order_relaxed);
  }
  // In octets.
  std::uint64_t streamed(Direction direction) const {
    return streamed_[static_cast<std::size_t>(direction)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, 2> streamed_{};
};

// The octets per second that a user wants to have relayed, by direction.
using Demand = std::array<std::uint64_t, 2>;

// The budgets of one user, for limits.bytes_per_second_per_user. In a cluster several servers relay for a
// user, and each of them has a share of the limit.
class UserBudgets : public ByteBudgets {
 public:
  // Counts octets that came to be relayed, including those that the limit refuses.
  void count(Direction direction, std::size_t size) {
    at(direction).wanted.fetch_add(size, std::memory_order_relaxed);
  }
  // Notes that a stream had to wait: it would send as much as the whole limit allows.
  void want_all(Direction direction) { at(direction).wants_all.store(true, std::memory_order_relaxed); }
  // What is wanted in a second, after the octets of the `elapsed` time since the last call.
  Demand measure(std::chrono::duration<double> elapsed, std::uint32_t limit) {
    Demand demand{};
    for (std::size_t i = 0; i < demand.size(); ++i) {
      const auto octets = static_cast<double>(flows_[i].wanted.exchange(0, std::memory_order_relaxed));
      demand[i] = static_cast<std::uint64_t>(octets / elapsed.count());
      if (flows_[i].wants_all.exchange(false, std::memory_order_relaxed)) {
        demand[i] = std::max<std::uint64_t>(demand[i], limit);
      }
    }
    return demand;
  }

  // Divides `limit` by what is wanted here and on other servers. What others do not want may be used here,
  // and a sixteenth of the limit always.
  void share(std::uint32_t limit, const Demand& here, const Demand& elsewhere) {
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      const double all = limit;
      const auto own = static_cast<double>(here[i]);
      const auto others = static_cast<double>(elsewhere[i]);
      const double part = others == 0 ? 1 : std::max({own / (own + others), 1 - others / all, kMinShare});
      flows_[i].share.store(static_cast<float>(part), std::memory_order_relaxed);
    }
  }
  // The part of `limit` that this server may use; 0 when there is no limit.
  std::uint32_t limit_here(Direction direction, std::uint32_t limit) const {
    const float share = flows_[static_cast<std::size_t>(direction)].share.load(std::memory_order_relaxed);
    if (share == 1 || limit == 0) return limit;
    return std::max(1U, static_cast<std::uint32_t>(static_cast<double>(share) * limit));
  }

 private:
  static constexpr double kMinShare = 1.0 / 16;
  struct Flow {
    std::atomic<std::uint64_t> wanted{0};  // octets since the last measurement
    std::atomic<bool> wants_all{false};
    std::atomic<float> share{1};
  };
  Flow& at(Direction direction) { return flows_[static_cast<std::size_t>(direction)]; }

  std::array<Flow, 2> flows_;
};

// The budgets of one allocation and of its user, for a worker that relays for an allocation of another
// worker.
struct SharedBudgets {
  std::shared_ptr<AllocationBudgets> allocation;
  std::shared_ptr<UserBudgets> user;
};

}  // namespace turnpike::turn
