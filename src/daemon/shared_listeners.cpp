#include "daemon/shared_listeners.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "net/interfaces.hpp"
#include "net/tcp_socket.hpp"
#include "net/udp_socket.hpp"

namespace turnpike::daemon {
namespace {

constexpr int kListenerBuffer = 4 << 20;  // bytes; about 30 ms of a gigabit
constexpr int kTriesForFreePorts = 32;

// Thrown when a port cannot be used and any other free port would do.
struct PortTaken {
  Endpoint at;
};

[[noreturn]] void cannot_listen(Transport transport, const Endpoint& at, const std::string& why) {
  throw std::runtime_error("nat_discovery.alternate: cannot listen on " + std::string(to_string(transport)) +
                           "://" + at.to_string() + ": " + why);
}

constexpr const char* kNotHere =
    "not an address of this machine; behind a 1:1 NAT name the local address here and the public one in "
    "relay.advertise";

// Opens the listeners of one transport that NAT discovery needs: two addresses with two ports each (RFC 5780
// §4).
class DiscoveryOpener {
 public:
  DiscoveryOpener(Transport transport, std::size_t workers, bool any_port)
      : transport_(transport), workers_(workers), any_port_(any_port) {}

  DiscoveryListeners open(const Endpoint& primary, const Endpoint& alternate) {
    const Endpoint first = add(open_shared_listener(transport_, primary, workers_));
    const Endpoint second{alternate.address, open_beside({first.address, alternate.port}).port};
    if (second.port == first.port) throw PortTaken{second};
    opened_.discovery = {transport_, first, second, {{{0, 1}, {0, 1}}}};
    if (first.address.is_unspecified()) return std::move(opened_);
    open_beside({second.address, first.port});
    open_beside(second);
    opened_.discovery.listeners[1] = {2, 3};
    return std::move(opened_);
  }

 private:
  Endpoint add(SharedListener listener) {
    opened_.listeners.push_back(std::move(listener));
    return opened_.listeners.back().at;
  }

  Endpoint open_beside(const Endpoint& at) {
    try {
      return add(open_shared_listener(transport_, at, workers_));
    } catch (const std::system_error& error) {
      if (any_port_ && error.code() == std::errc::address_in_use) throw PortTaken{at};
      const bool not_here = error.code() == std::errc::address_not_available;
      cannot_listen(transport_, at, not_here ? kNotHere : error.code().message());
    }
  }

  Transport transport_;
  std::size_t workers_;
  bool any_port_;
  DiscoveryListeners opened_;
};

// Returns the primary address (A1) behind a wildcard: if possible the address of the default route, because
// clients most likely know this machine by it.
IpAddress first_address(const IpAddress& alternate, const std::vector<IpAddress>& own_addresses) {
  const auto route = net::default_route_source(alternate.family());
  if (route && *route != alternate && !alternate.is_loopback()) return *route;
  const auto found = std::ranges::find_if(own_addresses, [&](const IpAddress& own) {
    return own.family() == alternate.family() && own != alternate && !own.is_link_local() &&
           own.is_loopback() == alternate.is_loopback();
  });
  if (found == own_addresses.end())
    throw std::runtime_error("nat_discovery.alternate: this machine has no address besides " +
                             alternate.to_string());
  return *found;
}

void require_free_address(Transport transport, const Endpoint& at) {
  if (is_stream(transport)) return net::require_free_tcp_address(at);
  net::require_free_udp_address(at);
}

net::Fd open_socket(Transport transport, const Endpoint& at) {
  return is_stream(transport) ? net::open_tcp_listener(at) : net::open_udp_listener(at);
}

}  // namespace

// The number of sockets never changes while the process runs, since the kernel would otherwise send clients
// to other workers.
SharedListener open_shared_listener(Transport transport, Endpoint at, std::size_t workers) {
  if (at.port != 0) require_free_address(transport, at);
  SharedListener opened{at, {}};
  int granted = kListenerBuffer;
  for (std::size_t i = 0; i < workers; ++i) {
    net::Fd socket = open_socket(transport, opened.at);
    opened.at.port = net::local_endpoint(socket.get()).port;
    if (!is_stream(transport))
      granted = std::min(granted, net::set_buffer_sizes(socket.get(), kListenerBuffer));
    opened.sockets.push_back(std::move(socket));
  }
  if (granted < kListenerBuffer) {
    spdlog::warn(
        fmt::format("the kernel granted {} of {} KiB of buffer: raise net.core.rmem_max and wmem_max",
                    granted >> 10, kListenerBuffer >> 10));
  }
  return opened;
}

DiscoveryListeners open_discovery_listeners(Transport transport, const Endpoint& primary,
                                            const Endpoint& alternate, std::size_t workers,
                                            const std::vector<IpAddress>& own_addresses) {
  const bool any_port = primary.port == 0 || alternate.port == 0;
  for (int tries = 1;; ++tries) {
    try {
      DiscoveryListeners opened = DiscoveryOpener(transport, workers, any_port).open(primary, alternate);
      turn::NatDiscovery::Params& discovery = opened.discovery;
      discovery.wildcard = discovery.primary.address.is_unspecified();
      if (discovery.wildcard) discovery.primary.address = first_address(alternate.address, own_addresses);
      return opened;
    } catch (const PortTaken& taken) {
      if (tries == kTriesForFreePorts)
        cannot_listen(transport, taken.at, std::generic_category().message(EADDRINUSE));
    }
  }
}

}  // namespace turnpike::daemon
