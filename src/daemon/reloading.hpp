// Reads a new configuration while the daemon runs: everything is read, checked and built before anything is
// changed, so that a reload with an error changes nothing.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "admin/service.hpp"
#include "config/config.hpp"
#include "daemon/certificates.hpp"
#include "daemon/counters.hpp"
#include "daemon/credentials.hpp"
#include "daemon/program.hpp"
#include "net/interfaces.hpp"
#include "relay/relay_sockets.hpp"

namespace turnpike::daemon {

class Reloading {
 public:
  // All references must outlive this object.
  struct Parts {
    const config::Config& config;  // the present one
    const Credentials& credentials;
    const std::unique_ptr<Certificates>& tls;  // null when no listener needs a certificate
    const relay::RelayPool& relays;
    const net::LocalAddresses& addresses;  // the present ones
  };

  // A configuration that the daemon can use at once.
  struct Next {
    config::Config config;
    Credentials::Snapshot credentials;
    config::RecalledRevocations recalled;
    std::optional<Certificates::Loaded> certificates;
  };

  Reloading(Source source, const Parts& parts) : source_(std::move(source)), parts_(parts) {}

  // Reads the configuration again. Fills the report, and returns nothing when there is an error.
  std::optional<Next> read(admin::ReloadReport& report) const;
  // Logs and counts a reload that was no dry run.
  void log(const admin::ReloadReport& report);

  const DaemonCounters& counters() const { return counters_; }

 private:
  config::Config keep_what_stays(config::Config next, admin::ReloadReport& report) const;
  std::optional<Certificates::Loaded> read_certificates(const config::Config& next,
                                                        const net::TlsParams& in_file) const;

  const Source source_;
  const Parts parts_;
  DaemonCounters counters_;
};

}  // namespace turnpike::daemon
