#include "daemon/addressing.hpp"

#include <utility>
#include <vector>

namespace turnpike::daemon {
namespace {

std::vector<IpAddress> addresses_of(const std::vector<config::Listener>& listeners) {
  std::vector<IpAddress> addresses;
  addresses.reserve(listeners.size());
  for (const config::Listener& listener : listeners) addresses.push_back(listener.endpoint.address);
  return addresses;
}

}  // namespace

Addressing::Addressing(const config::Config& config)
    : relays_(config.relay, own_.first(), addresses_of(config.listen)) {}

void Addressing::follow(boost::asio::io_context& io, std::function<void()> changed) {
  own_.follow(io, [this, changed = std::move(changed)] {
    relays_.follow(own_.now());
    changed();
  });
}

}  // namespace turnpike::daemon
