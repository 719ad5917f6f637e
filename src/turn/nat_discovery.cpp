#include "turnpike/turn/nat_discovery.hpp"

namespace turnpike::turn {

bool NatDiscovery::includes(const FiveTuple& tuple) const {
  const auto is_one_of = [](const auto& value, const auto& a, const auto& b) {
    return value == a || value == b;
  };
  const Endpoint& at = tuple.server;
  return tuple.transport == params_.transport && at.family() == params_.alternate.family() &&
         is_one_of(at.port, params_.primary.port, params_.alternate.port) &&
         (params_.wildcard || is_one_of(at.address, params_.primary.address, params_.alternate.address));
}

// A wildcard listener of the operator covers the alternate address too, so only the alternate port exists for
// discovery alone.
bool NatDiscovery::is_only_for_discovery(const FiveTuple& tuple) const {
  if (!includes(tuple)) return false;
  return params_.wildcard ? tuple.server.port == params_.alternate.port : tuple.server != params_.primary;
}

NatDiscovery::Origin NatDiscovery::origin(const FiveTuple& tuple, const stun::ChangeRequest& change) const {
  const bool at_alternate_address = tuple.server.address == params_.alternate.address;
  const bool at_alternate_port = tuple.server.port == params_.alternate.port;
  const bool alternate_address = at_alternate_address != change.ip;
  const bool alternate_port = at_alternate_port != change.port;
  Endpoint local = tuple.server;
  if (change.ip) local.address = (alternate_address ? params_.alternate : params_.primary).address;
  if (change.port) local.port = (alternate_port ? params_.alternate : params_.primary).port;
  return {local, params_.listeners[alternate_address ? 1 : 0][alternate_port ? 1 : 0]};
}

}  // namespace turnpike::turn
