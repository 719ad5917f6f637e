#include "daemon/shared_limits.hpp"

#include "net/system_random.hpp"

namespace turnpike::daemon {
namespace {

HashKey new_hash_key() {
  net::SystemRandom random;
  return crypto::draw_hash_key(random);
}

}  // namespace

SharedLimits::SharedLimits(const config::Config& config)
    : allocations(config.limits.allocations, config.limits.allocations_per_user, new_hash_key()),
      peer_connections(config.limits.peer_connections, config.limits.peer_connections_per_user,
                       new_hash_key()),
      addresses(0, config.limits.allocations_per_address, new_hash_key()),
      limiters(config.limits, new_hash_key()),
      idle_connections(config.streams),
      warnings(config.limits) {}

void SharedLimits::use(const config::Config& config) {
  allocations.set_limits(config.limits.allocations, config.limits.allocations_per_user);
  peer_connections.set_limits(config.limits.peer_connections, config.limits.peer_connections_per_user);
  addresses.set_limits(0, config.limits.allocations_per_address);
  limiters.set_limits(config.limits);
  idle_connections.set_limits(config.streams);
  warnings.set_limits(config.limits);
}

}  // namespace turnpike::daemon
