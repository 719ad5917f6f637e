// The heartbeat of the daemon: signs of life from all threads for the service manager, with a line about the
// load. At the same beats, it warns about limits that have refused somebody.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "daemon/bounds_log.hpp"
#include "daemon/heartbeat.hpp"
#include "daemon/octet_rate.hpp"
#include "daemon/shared_limits.hpp"
#include "daemon/side_threads.hpp"
#include "daemon/workers.hpp"

namespace turnpike::daemon {

class Pulse {
 public:
  // All references must outlive this object.
  struct Parts {
    boost::asio::io_context& io;
    Workers& workers;
    SideThreads& threads;
    const SharedLimits& limits;
    std::chrono::steady_clock::time_point started;
    std::function<bool()> is_draining;
  };

  explicit Pulse(Parts parts);

  // Call it when all threads run.
  void begin();
  // Leaves the io_context without work of this object's.
  void stop();

 private:
  std::string beat();
  // The status line for the service manager.
  std::string describe_load() const;

  const Parts parts_;
  OctetRate rate_;
  BoundsLog bounds_log_;
  std::optional<Heartbeat> heartbeat_;
};

}  // namespace turnpike::daemon
