// The addresses with which this daemon works: those of the machine, and the relayed addresses that are chosen
// from them. When those of the machine change, this class first lets the relayed ones follow. It also
// remembers what an operator was told about them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>

#include "config/config.hpp"
#include "daemon/address_warnings.hpp"
#include "daemon/own_addresses.hpp"
#include "net/interfaces.hpp"
#include "relay/relay_sockets.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::daemon {

// It is destroyed before the quotas, since reservations hold places in them.
class Addressing {
 public:
  // Throws std::runtime_error with a message for the operator; see relay::RelayPool.
  explicit Addressing(const config::Config& config);

  // The addresses of the machine.
  const net::LocalAddresses& first() const { return own_.first(); }
  const net::LocalAddresses& now() const { return own_.now(); }
  relay::RelayPool& relays() { return relays_; }
  const relay::RelayPool& relays() const { return relays_; }
  // The addresses that clients are told instead of local ones.
  const std::map<IpAddress, IpAddress>& advertised() const { return relays_.addresses()->advertised(); }

  // Calls `changed` on the thread of `io` each time when the addresses have changed. `io` must outlive this
  // object.
  void follow(boost::asio::io_context& io, std::function<void()> changed);
  // Uses the relayed addresses of a new configuration; see relay::RelayPool::use.
  void use(const turn::RelayParams& relay) { relays_.use(relay, own_.now()); }
  // Leaves the io_context without work of this object's.
  void stop() { own_.stop(); }

  AddressWarnings& warnings() { return warnings_; }

 private:
  OwnAddresses own_;
  relay::RelayPool relays_;
  AddressWarnings warnings_{relays_};
};

}  // namespace turnpike::daemon
