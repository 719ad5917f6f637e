// What operators are told about the daemon while it runs: the metrics, and the numbers of the status page.
// Nothing is changed by it but the measure of this node's load, which is taken anew.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "admin/metrics.hpp"
#include "config/config.hpp"
#include "daemon/administration.hpp"
#include "daemon/certificates.hpp"
#include "daemon/clustering.hpp"
#include "daemon/counters.hpp"
#include "daemon/open_listeners.hpp"
#include "daemon/shared_limits.hpp"
#include "daemon/side_threads.hpp"
#include "daemon/workers.hpp"
#include "relay/relay_sockets.hpp"

namespace turnpike::daemon {

// On the main thread.
class Metrics {
 public:
  struct Readiness {
    bool is_ready = false;  // whether new clients are accepted
    bool is_draining = false;
  };

  // All references must outlive this object. The pointers may be null.
  struct Parts {
    const config::Config& config;  // the present one
    const SharedLimits& limits;
    const relay::RelayPool& relays;
    const OpenListeners& listeners;
    const Workers& workers;
    const Certificates* tls;
    const SideThreads& threads;
    const std::unique_ptr<Administration>& admin;
    Clustering& clustering;  // describing this node takes a new measure of its load
    const DaemonCounters& counters;
    std::chrono::steady_clock::time_point started;
    std::function<Readiness()> readiness;
  };

  explicit Metrics(Parts parts) : parts_(std::move(parts)), config_(parts_.config) {}

  void add_to(std::vector<admin::Metric>& metrics) const;
  boost::json::object make_status() const;

 private:
  struct LimitUse {
    std::string_view name;
    std::uint64_t used = 0;
    std::uint64_t limit = 0;  // 0: none
  };
  std::vector<LimitUse> limits() const;
  boost::json::array list_limits() const;
  void add_limits(std::vector<admin::Metric>& metrics) const;
  // The counters of the threads beside the workers.
  void add_counters_of_threads(std::vector<admin::Metric>& metrics) const;

  const Parts parts_;
  const config::Config& config_;
};

}  // namespace turnpike::daemon
