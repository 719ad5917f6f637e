// Tells the service manager how the daemon is (sd_notify(3)): a line of status, and, where its watchdog waits
// for that (sd_watchdog_enabled(3)), that every thread which serves somebody still makes its passes. A thread
// that hangs is not told of, and the service manager then restarts the service. Where there is no service
// manager it tells nobody, and looks at the daemon all the same.
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
  // Asks a thread for a sign of life: it calls the function that it is given once, from itself.
  using Question = std::function<void(std::function<void()>)>;

  // How long the service manager waits for a sign of life; nothing where it does not wait for this process.
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
