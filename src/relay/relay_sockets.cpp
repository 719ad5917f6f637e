#include "relay/relay_sockets.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "net/interfaces.hpp"
#include "net/tcp_socket.hpp"
#include "net/udp_socket.hpp"
#include "turnpike/turn/peer_policy.hpp"

namespace turnpike::relay {
namespace {

// A second socket costs more than it saves for connectivity checks and short exchanges.
constexpr std::uint32_t kSendsWorthConnecting = 32;

// An Allocate fails after it has found this many ports of the range bound by other programs.
constexpr int kForeignPortsTolerated = 64;

bool is_port_taken_elsewhere(const boost::system::error_code& error) {
  return error == boost::system::errc::address_in_use || error == boost::system::errc::permission_denied;
}

Result<net::Fd> open_relay(turn::RelayedTransport transport, const Endpoint& at) {
  return transport == turn::RelayedTransport::tcp ? net::open_tcp_relay(at) : net::open_udp_relay(at);
}

// Returns "none", or a list such as "10.0.0.5, 10.0.0.6".
std::string listed(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) text += (text.empty() ? "" : ", ") + address.to_string();
  return text.empty() ? "none" : text;
}

}  // namespace

RelayPool::RelayPool(const turn::RelayParams& params, const net::LocalAddresses& local,
                     std::vector<IpAddress> listeners)
    : configured_(params.addresses),
      first_port_(params.first_port),
      last_port_(params.last_port),
      receive_buffer_(params.receive_buffer),
      advertise_(params.advertise),
      advertise_for_only_(params.advertise_for_only),
      listeners_(std::move(listeners)) {
  for (const IpAddress& address : configured_) {
    if (!net::is_local_address(address)) {
      throw std::runtime_error(
          "relay.addresses: " + address.to_string() +
          " is not an address of this machine; behind a 1:1 NAT name the local address here "
          "and the public one in relay.advertise");
    }
  }
  for (const IpAddress& public_address : advertise_for_only_) check_advertised(public_address, local);
  follow(local);
}

void RelayPool::check_advertised(const IpAddress& public_address, const net::LocalAddresses& local) const {
  const std::vector<IpAddress> relayed = relayed_addresses(public_address.family(), local);
  if (relayed.size() == 1) return;
  throw std::runtime_error("relay.advertise: " + public_address.to_string() +
                           " can stand for one relayed address of its family, and there is " +
                           listed(relayed) + "; name the local one as well, such as {" +
                           (relayed.empty() ? "10.0.0.5" : relayed.front().to_string()) + ": " +
                           public_address.to_string() + "}");
}

// The machine's addresses change while the daemon runs, so only new entries must fit the present addresses.
void RelayPool::check(const turn::RelayParams& params, const net::LocalAddresses& local) const {
  for (const IpAddress& public_address : params.advertise_for_only) {
    if (std::ranges::find(advertise_for_only_, public_address) == advertise_for_only_.end())
      check_advertised(public_address, local);
  }
}

void RelayPool::use(const turn::RelayParams& params, const net::LocalAddresses& local) {
  check(params, local);
  receive_buffer_ = params.receive_buffer;
  advertise_ = params.advertise;
  advertise_for_only_ = params.advertise_for_only;
  rebuild(local);
}

// A client gets a port of one address, and is refused when that address has none left. So the addresses are
// not added up: a machine has some that hardly any client comes to, such as those of loopback.
RelayPool::PortUse RelayPool::port_use() const {
  PortUse fullest;
  for (const auto& [address, weak] : ports_) {
    const std::shared_ptr<turn::PortMap> ports = weak.lock();
    if (!ports || addresses_->ports_of(address) != ports) continue;
    const std::uint32_t taken = ports->taken();
    if (fullest.of == 0 || taken > fullest.taken) fullest = {taken, ports->capacity()};
  }
  return fullest;
}

void RelayPool::follow(const net::LocalAddresses& local) {
  if (!addresses_ || configured_.empty()) rebuild(local);
}

void RelayPool::rebuild(const net::LocalAddresses& local) {
  RelayAddresses::Ports ports;
  for (const IpAddress& address : configured_.empty() ? local.all : configured_) {
    // No socket can be bound to such an address without an interface, so a client that comes to one is
    // relayed from the address of the default route.
    if (!address.is_v4() && address.is_link_local()) continue;
    ports.emplace(address, ports_for(address));
  }
  addresses_ =
      std::make_shared<const RelayAddresses>(configured_, local, std::move(ports), advertised_now(local));
  std::erase_if(ports_, [](const auto& entry) { return entry.second.expired(); });
}

std::shared_ptr<turn::PortMap> RelayPool::ports_for(const IpAddress& address) {
  std::weak_ptr<turn::PortMap>& known = ports_[address];
  std::shared_ptr<turn::PortMap> ports = known.lock();
  if (!ports) known = ports = std::make_shared<turn::PortMap>(first_port_, last_port_);
  return ports;
}

// Returns the addresses of a family that clients are relayed from. With `auto`, these are the addresses of
// the listeners. For a wildcard listener it is the address of the default route, since clients from the
// Internet arrive there.
std::vector<IpAddress> RelayPool::relayed_addresses(Family family, const net::LocalAddresses& local) const {
  std::set<IpAddress> relayed;
  const std::optional<IpAddress>& source = family == Family::ipv4 ? local.default_v4 : local.default_v6;
  bool has_listener = false;
  for (const IpAddress& at : configured_.empty() ? listeners_ : configured_) {
    if (at.family() != family) continue;
    has_listener = true;
    if (!at.is_unspecified()) {
      relayed.insert(at);
    } else if (source) {
      relayed.insert(*source);
    }
  }
  if (configured_.empty() && !has_listener && source) relayed.insert(*source);
  // When there are other addresses, a listener on loopback serves only this machine.
  if (relayed.size() > 1) std::erase_if(relayed, [](const IpAddress& a) { return a.is_loopback(); });
  return {relayed.begin(), relayed.end()};
}

RelayAddresses::Advertised RelayPool::advertised_now(const net::LocalAddresses& local) const {
  RelayAddresses::Advertised advertised = advertise_;
  for (const IpAddress& public_address : advertise_for_only_) {
    const std::vector<IpAddress> relayed = relayed_addresses(public_address.family(), local);
    if (relayed.size() == 1) advertised.emplace(relayed.front(), public_address);
  }
  return advertised;
}

std::vector<std::string> RelayPool::absent_locals() const {
  std::vector<std::string> absent;
  for (const auto& [local, public_address] : advertise_) {
    if (net::is_local_address(local)) continue;
    absent.push_back("relay.advertise: " + local.to_string() +
                     " is not an address of this machine now, so clients do not get " +
                     public_address.to_string());
  }
  for (const IpAddress& public_address : advertise_for_only_) {
    const bool stands_for_one = std::ranges::any_of(
        addresses_->advertised(), [&](const auto& entry) { return entry.second == public_address; });
    if (!stands_for_one) {
      absent.push_back("relay.advertise: " + public_address.to_string() +
                       " cannot be used now, because there is not exactly one relayed address of its family");
    }
  }
  for (const IpAddress& local : configured_) {
    if (net::is_local_address(local)) continue;
    absent.push_back("relay.addresses: " + local.to_string() +
                     " is not an address of this machine now, so nothing can be relayed from it");
  }
  return absent;
}

void RelayPool::reserve(const stun::ReservationToken& token, std::string_view owner, BoundRelay relay,
                        turn::QuotaSlot slot) {
  const std::lock_guard lock(reservations_mutex_);
  reservations_.emplace(token, Reservation{std::string(owner), std::move(relay), std::move(slot)});
}

std::optional<BoundRelay> RelayPool::take_reservation(const stun::ReservationToken& token,
                                                      std::string_view owner, turn::QuotaSlot& slot) {
  const std::lock_guard lock(reservations_mutex_);
  const auto found = reservations_.find(token);
  if (found == reservations_.end() || found->second.owner != owner) return std::nullopt;
  BoundRelay relay = std::move(found->second.relay);
  slot = std::move(found->second.slot);
  reservations_.erase(found);
  return relay;
}

void RelayPool::drop_reservation(const stun::ReservationToken& token) {
  const std::lock_guard lock(reservations_mutex_);
  reservations_.erase(token);
}

std::vector<IpAddress> RelayPool::private_without_advertisement() const {
  std::vector<IpAddress> used = addresses_->for_everybody();
  std::erase_if(used, [&](const IpAddress& a) { return is_public_to_clients(a); });
  return used;
}

bool RelayPool::is_public_to_clients(const IpAddress& local) const {
  return addresses_->advertised().contains(local) ||
         turn::PeerPolicy({}).judge(local) == turn::Reach::allowed;
}

Result<turn::Relay, turn::RelayError> RelaySockets::open(const turn::RelayRequest& request) {
  const auto address = addresses_->choose(request.family, request.client_side, random_);
  const std::shared_ptr<turn::PortMap> ports = address ? addresses_->ports_of(*address) : nullptr;
  if (!ports) return turn::RelayError::no_address;

  BoundRelay next;
  std::optional<BoundRelay> bound = bind(*address, ports, request, request.reserve_next ? &next : nullptr);
  if (!bound) return turn::RelayError::no_port;
  Result<turn::Relay, turn::RelayError> relay = adopt(std::move(*bound));
  if (relay && request.reserve_next) {
    pool_.reserve(*request.reserve_next, request.owner, std::move(next), std::move(*request.slot_of_next));
  }
  return relay;
}

// Binds a port of the range, an even one if the request asks for it. With `next`, it also binds the odd port
// above.
std::optional<BoundRelay> RelaySockets::bind(const IpAddress& address,
                                             const std::shared_ptr<turn::PortMap>& ports,
                                             const turn::RelayRequest& request, BoundRelay* next) {
  const bool even = request.parity == turn::RelayRequest::Parity::even;
  const std::uint16_t step = even ? 2 : 1;
  std::uint16_t start = ports->random_start(random_);
  for (int tries = 0; tries < kForeignPortsTolerated; ++tries) {
    const auto port = even ? ports->take_even_from(start, next != nullptr) : ports->take_from(start);
    if (!port) break;
    const auto above = static_cast<std::uint16_t>(*port + 1);
    PortLease lease(ports, *port);
    PortLease lease_above = next ? PortLease(ports, above) : PortLease();
    Result<net::Fd> socket = open_relay(request.transport, {address, *port});
    boost::system::error_code error = socket ? boost::system::error_code() : socket.error();
    if (socket && next) {
      Result<net::Fd> second = net::open_udp_relay({address, above});
      if (second) {
        *next = {std::move(lease_above), {address, above}, turn::RelayedTransport::udp, std::move(*second)};
      } else {
        error = second.error();
      }
    }
    if (!error) {
      if (request.transport == turn::RelayedTransport::tcp) ports->set_tcp(*port);
      return BoundRelay{std::move(lease), {address, *port}, request.transport, std::move(*socket)};
    }
    if (!is_port_taken_elsewhere(error)) {
      // No other port would help. An address that has left this machine is a reason too, which the daemon
      // will learn from the kernel.
      ++(net::is_exhaustion(error.value()) ? counters_.out_of_descriptors : counters_.no_socket);
      return std::nullopt;
    }
    const auto behind = static_cast<std::uint16_t>(*port + step);
    start = ports->contains(behind) ? behind : ports->first();
  }
  ++counters_.out_of_ports;
  return std::nullopt;
}

Result<turn::Relay, turn::RelayError> RelaySockets::claim(const stun::ReservationToken& token,
                                                          std::string_view owner, turn::QuotaSlot& slot) {
  std::optional<BoundRelay> bound = pool_.take_reservation(token, owner, slot);
  if (!bound) return turn::RelayError::no_reservation;
  return adopt(std::move(*bound));
}

Result<turn::Relay, turn::RelayError> RelaySockets::adopt(BoundRelay bound) {
  const int fd = bound.socket.get();
  const Endpoint local = bound.local;
  if (!host_.watch_relay(fd, turn::RelayId(fd))) {
    ++counters_.out_of_descriptors;
    return turn::RelayError::no_port;
  }
  if (bound.transport == turn::RelayedTransport::udp) bound.port.give_to(worker_);
  const auto place = static_cast<std::size_t>(fd);
  if (place >= open_.size()) open_.resize(place + 1);
  open_[place] = std::make_unique<OpenRelay>(std::move(bound));
  return turn::Relay(*this, turn::RelayId(fd), local, {to_advertised(local.address), local.port});
}

void RelaySockets::prepare(turn::RelayId id) {
  OpenRelay& open = *open_[static_cast<std::size_t>(id)];
  if (open.bound.transport != turn::RelayedTransport::udp || std::exchange(open.is_prepared, true)) return;
  net::prepare_udp_relay(open.bound.socket.get(), open.bound.local.family(), pool_.receive_buffer());
}

void RelaySockets::close(turn::RelayId id) { open_[static_cast<std::size_t>(id)].reset(); }

RelaySockets::Route RelaySockets::route_to(turn::RelayId relay, const Endpoint& peer) {
  OpenRelay& open = *open_[static_cast<std::size_t>(relay)];
  if (open.connected && open.connected_to == peer) {
    open.in_a_row = 0;
    return {open.connected.get(), true};
  }
  if (open.other_peer != peer) {
    open.other_peer = peer;
    open.in_a_row = 0;
  }
  if (++open.in_a_row == kSendsWorthConnecting) {
    open.in_a_row = 0;
    connect(relay, open, peer);
  }
  return {open.bound.socket.get(), false};
}

// Datagrams that reach the second socket before it is connected stay in its queue with their senders'
// addresses, and are relayed like all others. For the same reason, a connected socket is not closed but
// connected to the next peer.
void RelaySockets::connect(turn::RelayId relay, OpenRelay& open, const Endpoint& peer) {
  if (!open.connected) {
    Result<net::Fd> second =
        net::open_second_udp_relay(open.bound.socket.get(), open.bound.local, pool_.receive_buffer());
    if (!second || !host_.watch_relay(second->get(), relay)) return;
    open.connected = std::move(*second);
  }
  open.connected_to = net::connect_udp(open.connected.get(), peer) ? peer : Endpoint();
}

RelaySockets::Role RelaySockets::role_of(turn::RelayId relay, int fd) const {
  const auto place = static_cast<std::size_t>(relay);
  if (place >= open_.size() || !open_[place]) return Role::none;
  const OpenRelay& open = *open_[place];
  if (open.bound.socket.get() != fd && open.connected.get() != fd) return Role::none;
  return open.bound.transport == turn::RelayedTransport::udp ? Role::udp : Role::tcp_listener;
}

}  // namespace turnpike::relay
