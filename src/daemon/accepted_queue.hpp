// A queue of connections that workers have accepted and another thread serves: the signaling thread or the
// web thread. Strangers decide how many arrive, so the queue is limited; connections beyond the limit are
// closed and counted.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "net/fd.hpp"

namespace turnpike::daemon {

// `Arrival` has the data that belong to a connection. Thread-safe.
template <class Arrival>
class AcceptedQueue {
 public:
  static constexpr std::size_t kMax = 1024;

  struct Waiting {
    net::Fd connection;
    Arrival arrival;
  };

  // Returns true when the receiving thread has to be woken. A connection that finds no room is closed.
  bool add(net::Fd connection, Arrival arrival) {
    const std::lock_guard lock(mutex_);
    if (closed_ || waiting_.size() >= kMax) {
      ++dropped_;
      return false;
    }
    waiting_.push_back({std::move(connection), std::move(arrival)});
    return waiting_.size() == 1;
  }

  // Adds a connection, and has the thread of `io` call serve(connection, arrival) with all that wait. Throws
  // std::bad_alloc, and then those that wait are closed: nobody has been woken, and the next one wakes again.
  template <class Serve>
  void hand_over(boost::asio::io_context& io, net::Fd connection, Arrival arrival, Serve serve) {
    if (!add(std::move(connection), std::move(arrival))) return;
    try {
      boost::asio::post(io, [this, serve] {
        for (Waiting& one : take_waiting()) serve(std::move(one.connection), std::move(one.arrival));
      });
    } catch (const std::bad_alloc&) {
      take_waiting();
      throw;
    }
  }

  // Takes all waiting connections, in order.
  std::vector<Waiting> take_waiting() {
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }

  // Closes all waiting connections, and from now on every new one.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped_ += waiting_.size();
    waiting_.clear();
  }

  std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Waiting> waiting_;
  bool closed_ = false;
  std::uint64_t dropped_ = 0;
};

}  // namespace turnpike::daemon
