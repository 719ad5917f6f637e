// Allocate (RFC 8656 §7.2): the checks in the order of the RFC, then the relayed addresses, then the answer.
#include <algorithm>

#include "request.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

// What an Allocate asks for, once its attributes have been read and found to agree.
struct Server::Wish {
  std::optional<stun::ReservationToken> claim;
  std::optional<Family> family;  // absent with a claim
  bool both_families = false;    // IPv4 and IPv6, of which one may fail
  bool even_port = false;
  std::optional<stun::ReservationToken> reserve_next;
};

namespace {

std::optional<Family> known_family(std::uint8_t wire) {
  if (wire == static_cast<std::uint8_t>(Family::ipv4)) return Family::ipv4;
  if (wire == static_cast<std::uint8_t>(Family::ipv6)) return Family::ipv6;
  return std::nullopt;
}

ErrorCode to_error(RelayError error) {
  return error == RelayError::no_address ? ErrorCode::address_family_not_supported
                                         : ErrorCode::insufficient_capacity;
}

}  // namespace

void Server::on_allocate(Request& request, Output& out) {
  if (request.allocation) {
    // Streams lose nothing, so nothing is sent again: a second one is another request.
    const bool retransmitted =
        !is_stream(request.tuple.transport) &&
        request.allocation->transaction_id == request.message.transaction_id() &&
        request.allocation->identity.username == request.authenticated->identity.username;
    if (!retransmitted) return reject(request, ErrorCode::allocation_mismatch, out);
    return answer_allocate(request, *request.allocation, out);
  }
  Wish wish;
  if (auto e = check_credential_expiry(request)) {
    request.authenticated.reset();  // who may not use its key any more is answered as a stranger
    return reject(request, *e, out);
  }
  if (auto e = check_transport(request)) return reject(request, *e, out);
  if (auto e = read_wish(request, wish)) return reject(request, *e, out);

  auto allocation = std::make_unique<Allocation>();
  allocation->identity = request.authenticated->identity;
  allocation->quota = quota_.take(allocation->identity.quota_name());
  if (!allocation->quota) return reject(request, ErrorCode::allocation_quota_reached, out);
  if (auto e = open_relays(request, wish, *allocation)) return reject(request, *e, out);

  allocation->tuple = request.tuple;
  allocation->transaction_id = request.message.transaction_id();
  allocation->granted_lifetime = granted_lifetime(request);
  allocation->expiry = request.now.steady + allocation->granted_lifetime;
  allocation->reservation = wish.reserve_next;
  if (wish.reserve_next)
    reservations_.push_back({request.now.steady + kReservationLifetime, *wish.reserve_next});
  answer_allocate(request, *allocation, out);
  add(std::move(allocation), out);
}

// TURN REST credentials end here; what was allocated with them in time goes on.
Server::Check Server::check_credential_expiry(const Request& request) const {
  const auto& expires = request.authenticated->identity.expires;
  if (expires && *expires <= request.now.wall) return ErrorCode::unauthorized;
  return std::nullopt;
}

Server::Check Server::check_transport(const Request& request) const {
  const auto value = request.find(AttributeType::requested_transport);
  const auto protocol = value ? stun::decode_requested_transport(*value) : std::nullopt;
  if (!protocol) return ErrorCode::bad_request;
  if (*protocol != stun::kProtocolUdp) return ErrorCode::unsupported_transport_protocol;
  return std::nullopt;
}

Server::Check Server::read_wish(const Request& request, Wish& wish) const {
  const auto token = request.find(AttributeType::reservation_token);
  const auto even_port = request.find(AttributeType::even_port);
  const auto requested = request.find(AttributeType::requested_address_family);
  auto additional = request.find(AttributeType::additional_address_family);
  if (!additional) additional = request.find(AttributeType::draft_additional_address_family);
  if (const auto lifetime = request.find(AttributeType::lifetime)) {
    if (!stun::decode_lifetime(*lifetime)) return ErrorCode::bad_request;
  }
  if (token) {
    if (even_port || requested || additional) return ErrorCode::bad_request;
    wish.claim = stun::decode_reservation_token(*token);
    if (!wish.claim) return ErrorCode::bad_request;
    return std::nullopt;
  }

  if (requested && additional) return ErrorCode::bad_request;
  wish.family = Family::ipv4;
  if (requested) {
    const auto wire = stun::decode_address_family(*requested);
    if (!wire) return ErrorCode::bad_request;
    wish.family = known_family(*wire);
    if (!wish.family || !ports_.supports(*wish.family)) return ErrorCode::address_family_not_supported;
  }
  if (additional) {
    const auto wire = stun::decode_address_family(*additional);
    if (wire != static_cast<std::uint8_t>(Family::ipv6)) return ErrorCode::bad_request;
    wish.both_families = true;
  }
  if (even_port) {
    const auto reserve = stun::decode_even_port(*even_port);
    if (!reserve || (*reserve && additional)) return ErrorCode::bad_request;
    wish.even_port = true;
    if (*reserve) random_.fill(wish.reserve_next.emplace());
  }
  return std::nullopt;
}

Server::Check Server::open_relays(const Request& request, Wish& wish, Allocation& allocation) {
  if (wish.claim) {
    auto relay = ports_.claim(*wish.claim, allocation.identity.quota_name());
    if (!relay) return to_error(relay.error());
    allocation.relays.push_back(std::move(*relay));
    return std::nullopt;
  }
  Check first = open_relay(request, wish, *wish.family, allocation);
  if (!wish.both_families) return first;
  Check second = open_relay(request, wish, Family::ipv6, allocation);
  if (first && second) return first;
  // One of the two is a success, and the answer says why the other is missing.
  if (first) allocation.missing_family = {Family::ipv4, *first};
  if (second) allocation.missing_family = {Family::ipv6, *second};
  return std::nullopt;
}

Server::Check Server::open_relay(const Request& request, Wish& wish, Family family, Allocation& allocation) {
  auto relay = ports_.open({
      .family = family,
      .client_side = request.tuple.server.address,
      .parity = wish.even_port ? RelayRequest::Parity::even : RelayRequest::Parity::any,
      .reserve_next = wish.reserve_next,
      .owner = allocation.identity.quota_name(),
  });
  if (!relay) return to_error(relay.error());
  allocation.relays.push_back(std::move(*relay));
  return std::nullopt;
}

// Absent or shorter than the default is the default, longer than the limit is the limit.
std::chrono::seconds Server::granted_lifetime(const Request& request) const {
  const auto value = request.find(AttributeType::lifetime);
  const auto asked = value ? stun::decode_lifetime(*value) : std::nullopt;
  const auto limit = std::chrono::duration_cast<std::chrono::seconds>(limits_.allocation_lifetime);
  return std::clamp(asked.value_or(kDefaultLifetime), kDefaultLifetime, std::max(limit, kDefaultLifetime));
}

void Server::answer_allocate(const Request& request, const Allocation& allocation, Output& out) {
  stun::MessageBuilder builder = response(request, stun::Class::success);
  for (const Relay& relay : allocation.relays) {
    builder.add_xor_address(AttributeType::xor_relayed_address, relay.advertised());
  }
  builder.add_lifetime(allocation.granted_lifetime);
  if (allocation.reservation) builder.add(AttributeType::reservation_token, *allocation.reservation);
  builder.add_xor_address(AttributeType::xor_mapped_address, request.tuple.client);
  if (const auto& missing = allocation.missing_family)
    builder.add_address_error_code(missing->first, missing->second);
  finish(request, builder, out);
}

}  // namespace turnpike::turn
