// Reports to the service manager (sd_notify(3)): a status line and, when its watchdog is on
// (sd_watchdog_enabled(3)), that every thread which serves clients still makes its passes. When a thread
// hangs, that report is not sent, and the service manager restarts the service. Without a service manager
// nothing is sent, but the threads are still asked.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/asio_types.hpp"

namespace turnpike::daemon {

class Heartbeat {
 public:
  // Asks a thread for a sign of life: the thread calls the given function once.
  using Question = std::function<void(std::function<void()>)>;

  // Returns how long the service manager waits for a sign of life; nothing when it does not wait for this
  // process.
  static std::optional<std::chrono::microseconds> watchdog_interval();

  // `describe` is called at each beat, and gives the line of status. Begins at once, on this thread.
  Heartbeat(boost::asio::io_context& io, std::vector<Question> threads,
            std::function<std::string()> describe);
  // Leaves the io_context without work of this object's.
  void stop() {
    stopped_ = true;
    timer_.cancel();
  }

 private:
  void beat();
  void ask_one(const Question& ask);

  net::Timer timer_;
  const std::vector<Question> threads_;
  const std::function<std::string()> describe_;
  const std::optional<std::chrono::microseconds> watchdog_;
  const std::chrono::microseconds period_;
  // Threads that have not answered the last question. A thread that hangs is not asked again.
  std::shared_ptr<std::atomic<std::size_t>> unanswered_;
  bool stopped_ = false;
};

}  // namespace turnpike::daemon
