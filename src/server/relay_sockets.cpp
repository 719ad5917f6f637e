#include "server/relay_sockets.hpp"

#include <algorithm>
#include <stdexcept>

#include "net/interfaces.hpp"
#include "net/udp_socket.hpp"
#include "turnpike/turn/peer_policy.hpp"

namespace turnpike::server {
namespace {

// Connectivity checks and short exchanges do not pay for a second socket.
constexpr std::uint32_t kSendsWorthConnecting = 32;

// How many ports of the range may be found bound by other programs before an Allocate gives up.
constexpr int kForeignPortsTolerated = 64;

bool is_port_taken_elsewhere(const boost::system::error_code& error) {
  return error == boost::system::errc::address_in_use || error == boost::system::errc::permission_denied;
}

}  // namespace

RelayPool::RelayPool(const turn::RelayParams& params, const std::vector<IpAddress>& local_addresses)
    : configured_(params.addresses), advertise_(params.advertise) {
  for (const IpAddress& address : configured_) {
    if (!net::is_local_address(address)) {
      throw std::runtime_error(
          "relay.addresses: " + address.to_string() +
          " is not an address of this machine; behind a 1:1 NAT name the local address here "
          "and the public one in relay.advertise");
    }
  }
  if (configured_.empty()) {
    default_v4_ = net::default_route_source(Family::ipv4);
    default_v6_ = net::default_route_source(Family::ipv6);
  }
  for (const IpAddress& address : configured_.empty() ? local_addresses : configured_) {
    ports_.emplace(address, std::make_unique<turn::PortMap>(params.first_port, params.last_port));
    (address.is_v4() ? supports_v4_ : supports_v6_) = true;
  }
  for (const auto& [local, advertised] : advertise_) advertised_to_local_.emplace(advertised, local);
}

std::optional<IpAddress> RelayPool::choose_address(Family family, const IpAddress& client_side,
                                                   crypto::Random& random) const {
  if (client_side.family() == family && ports_.contains(client_side)) return client_side;
  if (configured_.empty()) return family == Family::ipv4 ? default_v4_ : default_v6_;
  std::vector<IpAddress> candidates;
  std::ranges::copy_if(configured_, std::back_inserter(candidates),
                       [&](const IpAddress& a) { return a.family() == family; });
  if (candidates.empty()) return std::nullopt;
  return candidates[random.below(static_cast<std::uint32_t>(candidates.size()))];
}

turn::PortMap* RelayPool::ports_of(const IpAddress& address) const {
  const auto found = ports_.find(address);
  return found == ports_.end() ? nullptr : found->second.get();
}

IpAddress RelayPool::to_advertised(const IpAddress& local) const {
  const auto found = advertise_.find(local);
  return found == advertise_.end() ? local : found->second;
}

IpAddress RelayPool::to_local(const IpAddress& advertised) const {
  const auto found = advertised_to_local_.find(advertised);
  return found == advertised_to_local_.end() ? advertised : found->second;
}

void RelayPool::reserve(const stun::ReservationToken& token, std::string_view owner, BoundRelay relay) {
  const std::lock_guard lock(reservations_mutex_);
  reservations_.emplace(token, Reservation{std::string(owner), std::move(relay)});
}

std::optional<BoundRelay> RelayPool::take_reservation(const stun::ReservationToken& token,
                                                      std::string_view owner) {
  const std::lock_guard lock(reservations_mutex_);
  const auto found = reservations_.find(token);
  if (found == reservations_.end() || found->second.owner != owner) return std::nullopt;
  BoundRelay relay = std::move(found->second.relay);
  reservations_.erase(found);
  return relay;
}

void RelayPool::drop_reservation(const stun::ReservationToken& token) {
  const std::lock_guard lock(reservations_mutex_);
  const auto found = reservations_.find(token);
  if (found == reservations_.end()) return;
  const Endpoint local = found->second.relay.local;
  reservations_.erase(found);
  ports_of(local.address)->give_back(local.port);
}

std::vector<IpAddress> RelayPool::private_without_advertisement() const {
  std::vector<IpAddress> used = configured_;
  if (default_v4_) used.push_back(*default_v4_);
  if (default_v6_) used.push_back(*default_v6_);
  const turn::PeerPolicy public_only({});
  std::erase_if(used, [&](const IpAddress& a) {
    return advertise_.contains(a) || public_only.judge(a) == turn::Reach::allowed;
  });
  return used;
}

Result<turn::Relay, turn::RelayError> RelaySockets::open(const turn::RelayRequest& request) {
  const auto address = pool_.choose_address(request.family, request.client_side, random_);
  turn::PortMap* ports = address ? pool_.ports_of(*address) : nullptr;
  if (!ports) return turn::RelayError::no_address;

  net::Fd next;
  const bool even = request.parity == turn::RelayRequest::Parity::even;
  std::optional<BoundRelay> bound = bind(*address, *ports, even, request.reserve_next ? &next : nullptr);
  if (!bound) return turn::RelayError::no_port;
  if (request.reserve_next) {
    const auto next_port = static_cast<std::uint16_t>(bound->local.port + 1);
    pool_.reserve(*request.reserve_next, request.owner, {std::move(next), {*address, next_port}});
  }
  return adopt(std::move(*bound));
}

// Binds a port of the range, an even one where that is asked for; with `next`, the odd port above it as well.
std::optional<BoundRelay> RelaySockets::bind(const IpAddress& address, turn::PortMap& ports, bool even,
                                             net::Fd* next) {
  const std::uint16_t step = even ? 2 : 1;
  std::uint16_t start = ports.random_start(random_);
  for (int tries = 0; tries < kForeignPortsTolerated; ++tries) {
    const auto port = even ? ports.take_even_from(start, next != nullptr) : ports.take_from(start);
    if (!port) return std::nullopt;
    const auto above = static_cast<std::uint16_t>(*port + 1);
    Result<net::Fd> socket = net::open_udp_relay({address, *port});
    boost::system::error_code error = socket ? boost::system::error_code() : socket.error();
    if (socket && next) {
      Result<net::Fd> second = net::open_udp_relay({address, above});
      if (second) {
        *next = std::move(*second);
      } else {
        error = second.error();
      }
    }
    if (!error) return BoundRelay{std::move(*socket), {address, *port}};
    ports.give_back(*port);
    if (next) ports.give_back(above);
    if (!is_port_taken_elsewhere(error)) {
      ++exhausted_;
      return std::nullopt;
    }
    const auto behind = static_cast<std::uint16_t>(*port + step);
    start = ports.contains(behind) ? behind : ports.first();
  }
  return std::nullopt;
}

Result<turn::Relay, turn::RelayError> RelaySockets::claim(const stun::ReservationToken& token,
                                                          std::string_view owner) {
  std::optional<BoundRelay> bound = pool_.take_reservation(token, owner);
  if (!bound) return turn::RelayError::no_reservation;
  return adopt(std::move(*bound));
}

Result<turn::Relay, turn::RelayError> RelaySockets::adopt(BoundRelay bound) {
  const int fd = bound.socket.get();
  const Endpoint local = bound.local;
  if (!host_.watch_relay(fd, turn::RelayId(fd))) {
    ++exhausted_;
    bound.socket = net::Fd();
    pool_.ports_of(local.address)->give_back(local.port);
    return turn::RelayError::no_port;
  }
  open_.insert_or_assign(turn::RelayId(fd), OpenRelay{std::move(bound), {}, {}, {}, 0});
  return turn::Relay(*this, turn::RelayId(fd), local, {pool_.to_advertised(local.address), local.port});
}

// The socket goes first: a port that is free in the map must be free to bind.
void RelaySockets::close(turn::RelayId id) {
  host_.before_close(id);
  const auto found = open_.find(id);
  const Endpoint local = found->second.bound.local;
  open_.erase(found);
  pool_.ports_of(local.address)->give_back(local.port);
}

RelaySockets::Way RelaySockets::way_to(turn::RelayId relay, const Endpoint& peer) {
  OpenRelay& open = open_.find(relay)->second;
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

// What reaches the second socket before it is connected stays in its queue, with its sender's address, and is
// relayed like everything else. A socket that is connected once is only ever connected to another peer, for
// the same reason.
void RelaySockets::connect(turn::RelayId relay, OpenRelay& open, const Endpoint& peer) {
  if (!open.connected) {
    Result<net::Fd> second = net::open_second_udp_relay(open.bound.socket.get(), open.bound.local);
    if (!second || !host_.watch_relay(second->get(), relay)) return;
    open.connected = std::move(*second);
  }
  open.connected_to = net::connect_udp(open.connected.get(), peer) ? peer : Endpoint();
}

bool RelaySockets::owns(turn::RelayId relay, int fd) const {
  const auto found = open_.find(relay);
  return found != open_.end() &&
         (found->second.bound.socket.get() == fd || found->second.connected.get() == fd);
}

bool RelaySockets::is_live(const Endpoint& local) const {
  const turn::PortMap* ports = pool_.ports_of(local.address);
  return ports && ports->is_taken(local.port);
}

}  // namespace turnpike::server
