// The quotas and limiters that all workers share. Each member is thread-safe; a reload changes the limits
// while the workers run.
#pragma once

#include "config/config.hpp"
#include "relay/idle_connections.hpp"
#include "relay/warnings.hpp"
#include "turnpike/turn/byte_budget.hpp"
#include "turnpike/turn/limiters.hpp"
#include "turnpike/turn/quota.hpp"

namespace turnpike::daemon {

// It is destroyed after all objects that hold places in the quotas.
struct SharedLimits {
  explicit SharedLimits(const config::Config& config);

  // Changes the limits. What is in use stays in use.
  void use(const config::Config& config);

  turn::Quota allocations;
  turn::Quota peer_connections;  // RFC 6062
  turn::Quota addresses;         // the allocations of each address of clients
  turn::ByteBudgets server_budgets;
  turn::Limiters limiters;
  relay::IdleConnections idle_connections;
  relay::Warnings warnings;
};

}  // namespace turnpike::daemon
