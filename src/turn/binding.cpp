#include "turnpike/turn/binding.hpp"

#include <algorithm>

#include "request.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

// An answer with this much padding needs more than one packet on all usual networks, and this is the purpose
// of PADDING.
constexpr std::size_t kMaxPadding = 1500;
constexpr std::size_t kAttributeHeader = 4;
constexpr std::size_t kFingerprintSize = 8;

}  // namespace

void Binding::on_binding(Request& request, Output& out) {
  const NatDiscovery* sockets = discovery_at(request.tuple);
  // Over TCP an answer cannot come from an address that the client is not connected to, so the client only
  // learns the other addresses.
  const bool may_ask = sockets && request.tuple.transport == Transport::udp;
  const stun::KnownHere known{
      .tokens = responder_.takes_tokens(), .nat_discovery = may_ask, .empty_change_request = true};
  if (responder_.reject_unknown(request, known, out)) return;
  DiscoveryOptions options;
  if (sockets) {
    if (auto e = read_options(request, options)) return responder_.reject(request, *e, out);
  }
  stun::MessageBuilder builder = responder_.begin(request, stun::Class::success);
  builder.add_xor_address(AttributeType::xor_mapped_address, request.tuple.client);
  if (sockets) add_discovery(request, *sockets, options, builder);
  responder_.finish(request, builder, out);
}

// RFC 3489 §8.1. A client that asks for an answer from an address that this server has not got waits for it,
// and then goes on with its other tests, as behind a NAT that lets no such answer through.
void Binding::on_rfc3489(Request& request, Output& out) {
  const NatDiscovery* sockets = discovery_at(request.tuple);
  stun::ChangeRequest change;
  if (const auto value = request.find(AttributeType::change_request)) {
    const auto asked = stun::decode_change_request(*value);
    if (!asked || (!sockets && *asked != stun::ChangeRequest{})) return;
    change = *asked;
  }
  if (responder_.reject_unknown(request, {.nat_discovery = true}, out)) return;
  stun::MessageBuilder builder = responder_.begin(request, stun::Class::success);
  builder.add_address(AttributeType::mapped_address, request.tuple.client);
  if (sockets) {
    const NatDiscovery::Origin from = sockets->origin(request.tuple, change);
    const NatDiscovery::Origin other = sockets->origin(request.tuple, {.ip = true, .port = true});
    builder.add_address(AttributeType::source_address, access_.to_advertised(from.local));
    builder.add_address(AttributeType::changed_address, access_.to_advertised(other.local));
    request.answer_to = from_origin(request.tuple, from);
  }
  responder_.finish(request, builder, out);
}

FiveTuple Binding::from_origin(const FiveTuple& tuple, const NatDiscovery::Origin& origin) {
  FiveTuple to = tuple;
  to.server = origin.local;
  to.path = path_of_listener(origin.listener);
  return to;
}

// Returns null when NAT discovery does not use this server address.
const NatDiscovery* Binding::discovery_at(const FiveTuple& tuple) const {
  const auto found =
      std::ranges::find_if(nat_discoveries_, [&](const NatDiscovery& d) { return d.includes(tuple); });
  return found == nat_discoveries_.end() ? nullptr : &*found;
}

bool Binding::is_for_discovery_alone(const FiveTuple& tuple) const {
  const NatDiscovery* sockets = discovery_at(tuple);
  return sockets && sockets->is_only_for_discovery(tuple);
}

Check Binding::read_options(const Request& request, DiscoveryOptions& options) {
  if (const auto value = request.find(AttributeType::change_request)) {
    const auto change = stun::decode_change_request(*value);
    if (!change) return ErrorCode::bad_request;
    options.change = *change;
  }
  if (const auto value = request.find(AttributeType::response_port)) {
    options.response_port = stun::decode_response_port(*value);
    if (!options.response_port || *options.response_port == 0) return ErrorCode::bad_request;
  }
  if (const auto value = request.find(AttributeType::padding)) {
    if (options.response_port)
      return ErrorCode::bad_request;  // RFC 5780 §10: no large answer to another port
    options.padding = value->size();
  }
  return std::nullopt;
}

void Binding::add_discovery(Request& request, const NatDiscovery& sockets, const DiscoveryOptions& options,
                            stun::MessageBuilder& builder) const {
  const NatDiscovery::Origin from = sockets.origin(request.tuple, options.change);
  const NatDiscovery::Origin other = sockets.origin(request.tuple, {.ip = true, .port = true});
  builder.add_address(AttributeType::mapped_address, request.tuple.client);
  builder.add_address(AttributeType::response_origin, access_.to_advertised(from.local));
  builder.add_address(AttributeType::other_address, access_.to_advertised(other.local));
  if (options.padding) builder.add_padding(padding_for(request, *options.padding, builder));

  if (is_stream(request.tuple.transport)) return;
  FiveTuple to = from_origin(request.tuple, from);
  if (options.response_port) to.client.port = *options.response_port;
  request.answer_to = to;
}

// RFC 5780 §6.1 wants padding up to an MTU, whatever the size of the request. Here the answer is never longer
// than its request, so that a forged source address gets no more octets than the attacker has sent.
std::size_t Binding::padding_for(const Request& request, std::size_t asked,
                                 const stun::MessageBuilder& builder) {
  const std::size_t fingerprint = request.message.has_fingerprint() ? kFingerprintSize : 0;
  const std::size_t without = builder.bytes().size() + kAttributeHeader + fingerprint;
  const std::size_t room = request.message.bytes().size() - std::min(without, request.message.bytes().size());
  return std::min({asked, room, kMaxPadding}) & ~std::size_t{3};
}

}  // namespace turnpike::turn
