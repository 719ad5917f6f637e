// The end of the daemon, and what comes before it. A signal or an operator begins a drain or the stop; a
// drain ends with the stop. While the daemon stops, a watch sees to it that each part of it ends in time.
// This class also knows whether the daemon is ready and whether it drains, since it alone changes that.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "config/config.hpp"
#include "daemon/administration.hpp"
#include "daemon/clustering.hpp"
#include "daemon/drain.hpp"
#include "daemon/side_threads.hpp"
#include "daemon/signal_reader.hpp"
#include "daemon/stop_watch.hpp"
#include "turnpike/turn/quota.hpp"

namespace turnpike::daemon {

// On the main thread.
class Stopping {
 public:
  // All references must outlive this object.
  struct Parts {
    boost::asio::io_context& io;
    const config::Config& config;  // the present one
    const turn::Quota& allocations;
    const std::unique_ptr<Administration>& admin;  // null when there is no admin interface
    const SideThreads& threads;
    Clustering& clustering;
    std::function<void()> post_settings;  // tells the workers that a drain has begun
    std::function<void()> end_work;       // ends all work in `io` that is not of this object
  };

  explicit Stopping(Parts parts) : parts_(std::move(parts)) {}

  // Whether new clients are accepted.
  bool is_ready() const { return ready_ && !drain_; }
  bool is_draining() const { return drain_.has_value(); }

  // From now on SIGTERM and SIGINT stop the daemon, and SIGUSR1 begins a drain. hold_signals() must have been
  // called before any other thread began.
  void read_signals();
  // The daemon serves from now on.
  void set_ready() { ready_ = true; }
  // Does nothing when the daemon is stopping already.
  void begin_drain(const admin::DrainOptions& options);

  // While the daemon stops: `part` ends from now on; see StopWatch::begin.
  void watch(const char* part, StopWatch::CutOff cut_off);
  // Call this when all parts have ended. Returns false when one of them was cut off, so that something of it
  // may be left.
  bool end_watch();

 private:
  void on_signal(int signal);
  void stop();
  void begin_watch();

  const Parts parts_;
  std::optional<SignalReader> signals_;  // since read_signals()
  std::optional<Drain> drain_;
  bool ready_ = false;
  bool asked_to_end_ = false;            // by SIGTERM or SIGINT; the first one may have begun a drain
  std::optional<StopWatch> stop_watch_;  // while it stops
};

}  // namespace turnpike::daemon
