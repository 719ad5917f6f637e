// The listeners of STUN and TURN: this class opens a socket of each of them for every worker, and keeps the
// sockets until the workers take them. It also knows at which addresses this process listens, which of them
// clients are told of, and with which others NAT discovery answers.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "daemon/shared_listeners.hpp"
#include "relay/clients.hpp"
#include "relay/web_server.hpp"
#include "turnpike/signaling/ice_servers.hpp"
#include "turnpike/turn/nat_discovery.hpp"

namespace turnpike::daemon {

// Returns the URL by which operators know the listener, such as udp://192.0.2.1:3478.
std::string url_of(const config::Listener& listener, const Endpoint& at);

class OpenListeners {
 public:
  // `has_certificate` says whether listeners that detect the protocol accept TLS.
  OpenListeners(std::size_t workers, std::vector<IpAddress> own_addresses, bool has_certificate)
      : own_addresses_(std::move(own_addresses)), has_certificate_(has_certificate), sockets_(workers) {}

  // Opens all listeners and logs their addresses. Throws std::exception with a message for the operator when
  // it cannot.
  void open_all(const config::Config& config);
  // Adds TCP listeners of other parts of this process, so that tcp() and refuse_own_address() know them too.
  void add_others(const std::vector<Endpoint>& tcp);
  // The sockets, for each worker. Call it once.
  std::vector<relay::WorkerListeners> take_sockets() { return std::move(sockets_); }

  const std::vector<Endpoint>& udp() const { return udp_; }
  const std::vector<Endpoint>& tcp() const { return tcp_; }
  const turn::NatDiscoveries& nat_discoveries() const { return nat_discoveries_; }
  // The URLs of all listeners, with the ports that were really taken.
  const std::vector<std::string>& urls() const { return urls_; }
  // The listeners that clients are told of.
  const std::vector<signaling::IceParams::Listener>& announced() const { return announced_; }

  // Throws when the web server's address belongs to one of our listeners. The configuration alone could not
  // show which addresses a wildcard listener has.
  void refuse_own_address(const relay::WebServer& web) const;

 private:
  void open(const config::Listener& listener, const config::Config& config);
  Endpoint open_discovery(const config::Listener& listener, const Endpoint& alternate,
                          const config::Config& config);
  Endpoint add(const config::Listener& listener, SharedListener opened, const config::Config& config);
  void announce(const config::Listener& listener, const Endpoint& at);

  const std::vector<IpAddress> own_addresses_;
  const bool has_certificate_;
  std::vector<relay::WorkerListeners> sockets_;
  const std::size_t workers_ = sockets_.size();
  std::vector<Endpoint> udp_;
  std::vector<Endpoint> tcp_;
  turn::NatDiscoveries nat_discoveries_;
  std::vector<std::string> urls_;
  std::vector<signaling::IceParams::Listener> announced_;
};

}  // namespace turnpike::daemon
