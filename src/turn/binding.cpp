// Binding (RFC 8489 §6.3), and where the listener takes part in NAT discovery what RFC 5780 §6 adds: the
// answer leaves from another of our addresses, or goes to another port of the client.
#include <algorithm>

#include "known_attributes.hpp"
#include "request.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;

namespace {

// An answer with that much of it is more than one packet on every usual network, which is what it is for.
constexpr std::size_t kMostPadding = 1500;
constexpr std::size_t kAttributeHeader = 4;
constexpr std::size_t kFingerprintSize = 8;

}  // namespace

// What a Binding request asks for in terms of RFC 5780.
struct Server::Discovery {
  const NatDiscovery& sockets;
  stun::ChangeRequest change;
  std::optional<std::uint16_t> response_port;
  std::optional<std::size_t> padding;
};

void Server::on_binding(Request& request, Output& out) {
  const NatDiscovery* sockets = discovery_at(request.tuple);
  // By TCP no answer can come from where the client has not connected to, so there it is only told of the
  // others.
  const bool may_ask = sockets && request.tuple.transport == Transport::udp;
  const UnknownTypes unknown =
      unknown_required(request.message, {.tokens = credentials_.takes_tokens(), .nat_discovery = may_ask});
  if (!unknown.empty()) return reject_unknown(request, {unknown.data(), unknown.size()}, out);

  stun::MessageBuilder builder = response(request, Class::success);
  builder.add_xor_address(AttributeType::xor_mapped_address, request.tuple.client);
  if (sockets) {
    Discovery wish{*sockets, {}, {}, {}};
    if (auto e = read_discovery(request, wish)) return reject(request, *e, out);
    add_discovery(request, wish, builder);
  }
  finish(request, builder, out);
}

// Null where there is none.
const NatDiscovery* Server::discovery_at(const FiveTuple& tuple) const {
  const auto found =
      std::ranges::find_if(nat_discoveries_, [&](const NatDiscovery& d) { return d.includes(tuple); });
  return found == nat_discoveries_.end() ? nullptr : &*found;
}

// An operator opens a firewall for `listen`, and means TURN by that; what discovery adds to it answers STUN.
bool Server::is_for_discovery_alone(const FiveTuple& tuple) const {
  const NatDiscovery* sockets = discovery_at(tuple);
  return sockets && sockets->opened(tuple);
}

Server::Check Server::read_discovery(const Request& request, Discovery& wish) const {
  if (const auto value = request.find(AttributeType::change_request)) {
    const auto change = stun::decode_change_request(*value);
    if (!change) return ErrorCode::bad_request;
    wish.change = *change;
  }
  if (const auto value = request.find(AttributeType::response_port)) {
    wish.response_port = stun::decode_response_port(*value);
    if (!wish.response_port || *wish.response_port == 0) return ErrorCode::bad_request;
  }
  if (const auto value = request.find(AttributeType::padding)) {
    if (wish.response_port) return ErrorCode::bad_request;  // RFC 5780 §10: no large answer to another port
    wish.padding = value->size();
  }
  return std::nullopt;
}

void Server::add_discovery(Request& request, const Discovery& wish, stun::MessageBuilder& builder) const {
  const NatDiscovery::Origin from = wish.sockets.origin(request.tuple, wish.change);
  const NatDiscovery::Origin other = wish.sockets.origin(request.tuple, {.ip = true, .port = true});
  builder.add_address(AttributeType::mapped_address, request.tuple.client);
  builder.add_address(AttributeType::response_origin, advertised(from.local));
  builder.add_address(AttributeType::other_address, advertised(other.local));
  if (wish.padding) builder.add_padding(padding_for(request, *wish.padding, builder));

  if (is_stream(request.tuple.transport)) return;
  FiveTuple to = request.tuple;
  to.server = from.local;
  to.connection = from.listener;
  if (wish.response_port) to.client.port = *wish.response_port;
  request.answer_to = to;
}

// RFC 5780 §6.1 wants an MTU of it whatever the request had. Whoever's address stands in the request gets no
// more octets than were spent on it.
std::size_t Server::padding_for(const Request& request, std::size_t asked,
                                const stun::MessageBuilder& builder) {
  const std::size_t fingerprint = request.message.has_fingerprint() ? kFingerprintSize : 0;
  const std::size_t without = builder.bytes().size() + kAttributeHeader + fingerprint;
  const std::size_t room = request.message.bytes().size() - std::min(without, request.message.bytes().size());
  return std::min({asked, room, kMostPadding}) & ~std::size_t{3};
}

Endpoint Server::advertised(Endpoint local) const {
  local.address = ports_.to_advertised(local.address);
  return local;
}

}  // namespace turnpike::turn
