// A drain: new clients are refused, and the daemon ends once few enough allocations are left, or at a
// deadline. This class only waits for that; the daemon tells its workers, the other nodes and the rooms.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>

#include "net/asio_types.hpp"
#include "turnpike/turn/quota.hpp"

namespace turnpike::daemon {

class Drain {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  // Calls `end` when at most `until` allocations are left, or at the deadline, but not before the handlers
  // that are queued now, so that the request for the drain is answered first. All references outlive this.
  Drain(boost::asio::io_context& io, const turn::Quota& allocations, std::uint32_t until, Deadline deadline,
        std::function<void()> end);

  // A later order replaces an earlier one. The object stays, since the handler of its timer may be queued
  // already.
  void change(std::uint32_t until, Deadline deadline) {
    until_ = until;
    deadline_ = deadline;
  }

  // until() is the number of allocations with which the drain ends before its deadline. left() is the number
  // of whole seconds until the deadline.
  std::uint32_t until() const { return until_; }
  std::chrono::seconds left() const;

  // Leaves the io_context without work of this object's.
  void stop() {
    stopped_ = true;
    timer_.cancel();
  }

 private:
  // The quota is polled, because all workers change it on their threads, and it does not report changes.
  static constexpr std::chrono::milliseconds kInterval{100};

  void check();
  void wait();

  const turn::Quota& allocations_;
  const std::function<void()> end_;
  net::Timer timer_;
  std::uint32_t until_;
  Deadline deadline_;
  bool stopped_ = false;
};

}  // namespace turnpike::daemon
