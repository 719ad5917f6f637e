// The thread of a worker, and the epoll set that it waits on. It runs a loop until another thread wants it to
// stop.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "net/epoll.hpp"
#include "net/fd.hpp"

namespace turnpike::relay {

class LoopThread {
 public:
  // `name` is that of the thread. Throws std::system_error.
  explicit LoopThread(std::string name);

  net::Epoll& epoll() { return epoll_; }

  // Runs `loop` on the thread. It has to end when is_stopping() returns true. stop() makes an event of
  // EventKind::wake for this, so the loop looks after each wait.
  template <class Loop>
  void start(Loop loop) {
    thread_ = std::thread([this, loop = std::move(loop)] {
      give_name();
      loop();
    });
  }
  bool is_stopping() const { return stopping_.load(std::memory_order_relaxed); }
  // Ends the loop and joins the thread. Call it before the end of whatever the loop uses.
  void stop();
  // Whether start() was called and stop() was not.
  bool is_running() const { return thread_.joinable(); }

 private:
  void give_name() const;

  const std::string name_;
  net::Epoll epoll_;
  net::Fd wake_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace turnpike::relay
