// The relayed IP addresses at one time, since the addresses of the machine may change while the daemon runs.
// Each worker has the latest snapshot that it was sent, and reads it without a lock.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "net/interfaces.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/port_map.hpp"

namespace turnpike::relay {

// Immutable, except for the port maps, which are thread-safe.
class RelayAddresses {
 public:
  // The port maps, by address. An address keeps its map in later snapshots. Allocations keep the map even
  // after the address was removed from the machine.
  using Ports = std::map<IpAddress, std::shared_ptr<turn::PortMap>>;

  // Local addresses and what clients are told instead (1:1 NAT).
  using Advertised = std::map<IpAddress, IpAddress>;

  // `configured` is empty for `auto`; the addresses are then taken from `local`.
  RelayAddresses(std::vector<IpAddress> configured, const net::LocalAddresses& local, Ports ports,
                 Advertised advertised = {});

  // The relay address for a client that came to `client_side`.
  std::optional<IpAddress> choose(Family family, const IpAddress& client_side, crypto::Random& random) const;
  // Null for an address that is not one of these.
  const std::shared_ptr<turn::PortMap>& ports_of(const IpAddress& address) const;
  bool is_live(const Endpoint& local, turn::RelayedTransport transport) const {
    const auto found = ports_.find(local.address);
    return found != ports_.end() && found->second->is_taken(local.port) &&
           found->second->is_tcp(local.port) == (transport == turn::RelayedTransport::tcp);
  }
  std::optional<std::uint16_t> worker_of(const Endpoint& local) const {
    const auto found = ports_.find(local.address);
    return found == ports_.end() ? std::nullopt : found->second->worker_of(local.port);
  }
  bool supports(Family family) const { return family == Family::ipv4 ? supports_v4_ : supports_v6_; }

  const Advertised& advertised() const { return advertised_; }
  IpAddress to_advertised(const IpAddress& local) const { return image(advertised_, local); }
  IpAddress to_local(const IpAddress& advertised) const { return image(local_, advertised); }

  // The addresses that any client may get, whichever server address it came to.
  std::vector<IpAddress> for_everybody() const;

 private:
  // An address without an entry is returned unchanged.
  static IpAddress image(const Advertised& map, const IpAddress& address) {
    const auto found = map.find(address);
    return found == map.end() ? address : found->second;
  }

  std::vector<IpAddress> configured_;
  std::optional<IpAddress> default_v4_;
  std::optional<IpAddress> default_v6_;
  bool supports_v4_ = false;
  bool supports_v6_ = false;
  Ports ports_;
  Advertised advertised_;
  Advertised local_;  // the inverse: advertised -> local
};

}  // namespace turnpike::relay
