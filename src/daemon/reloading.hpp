// Reads a new configuration while the daemon runs: everything is read, checked and built before anything is
// changed, so that a reload with an error changes nothing. This class also waits for the signals that ask for
// a reload.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <utility>

#include "admin/service.hpp"
#include "config/config.hpp"
#include "daemon/certificates.hpp"
#include "daemon/counters.hpp"
#include "daemon/credentials.hpp"
#include "daemon/program.hpp"
#include "daemon/reload.hpp"
#include "net/interfaces.hpp"
#include "relay/relay_sockets.hpp"

namespace turnpike::daemon {

class Reloading {
 public:
  // All references must outlive this object.
  struct Parts {
    const config::Config& config;  // the present one
    const Credentials& credentials;
    const Certificates* tls;  // null when no listener needs a certificate
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

  // Calls `reload` for each signal that asks for a reload; it says whether it went well. hold_signals() must
  // have been called before any other thread began. `io` must outlive this object. Throws std::system_error.
  void follow_signals(boost::asio::io_context& io, std::function<bool()> reload) {
    signal_.emplace(io, std::move(reload));
  }
  // Leaves the io_context without work of this object's.
  void stop() {
    if (signal_) signal_->stop();
  }

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
  std::optional<ReloadSignal> signal_;  // since follow_signals()
};

}  // namespace turnpike::daemon
