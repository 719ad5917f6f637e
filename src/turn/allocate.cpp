// Allocate (RFC 8656 §7.2): the checks in the order of the RFC, then the relayed addresses, then the answer.
#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "request.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

// What an Allocate asks for, once its attributes have been read and found to agree.
struct Server::Wish {
  RelayedTransport transport = RelayedTransport::udp;
  std::optional<stun::ReservationToken> claim;
  std::optional<Family> family;  // absent with a claim
  bool mobile = false;           // RFC 8016
  bool both_families = false;    // IPv4 and IPv6, of which one may fail
  bool even_port = false;
  std::optional<stun::ReservationToken> reserve_next;
  QuotaSlot place_of_next;  // which the reservation holds
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

// A client may have another token by the time it comes for what it reserved; 64 random bits keep others away.
std::string reservation_owner(const auth::Identity& identity) {
  return identity.is_token() ? std::string() : identity.quota_name();
}

}  // namespace

void Server::on_allocate(Request& request, Output& out) {
  if (request.allocation) {
    // Streams lose nothing, so nothing is sent again: a second one is another request.
    const bool retransmitted = !is_stream(request.tuple.transport) &&
                               request.allocation->transaction_id == request.message.transaction_id() &&
                               request.authenticated->identity.may_act_for(request.allocation->identity);
    if (!retransmitted) return reject(request, ErrorCode::allocation_mismatch, out);
    return answer_allocate(request, *request.allocation, out);
  }
  Wish wish;
  if (auto e = check_credential_expiry(request)) {
    request.authenticated.reset();  // who may not use its key any more is answered as a stranger
    return reject(request, *e, out);
  }
  if (auto e = check_transport(request, wish)) return reject(request, *e, out);
  if (auto e = read_wish(request, wish)) return reject(request, *e, out);
  const bool may_go = !wish.claim;  // what it has reserved is here
  if (may_go && is_sent_away(request, Redirect::always, out)) return;

  auto allocation = std::make_unique<Allocation>();
  allocation->identity = request.authenticated->identity;
  // Before there is anything to be released: of a token that nobody has reserved nothing comes.
  if (wish.reserve_next)
    reservations_.push_back({request.now.steady + kReservationLifetime, *wish.reserve_next});
  if (auto e = take_place(request, wish, *allocation, out)) {
    if (wish.reserve_next) reservations_.pop_back();
    const bool is_full =
        allocation->quota.reached() != QuotaLimit::user &&
        (*e == ErrorCode::allocation_quota_reached || *e == ErrorCode::insufficient_capacity);
    if (may_go && is_full && is_sent_away(request, Redirect::full, out)) return;
    return reject(request, *e, out);
  }
  allocation->tuple = request.tuple;
  allocation->transport = wish.transport;
  allocation->transaction_id = request.message.transaction_id();
  if (limits_.allocation_age != Duration::zero())
    allocation->latest_end = request.now.steady + limits_.allocation_age;
  allocation->granted_lifetime = granted_lifetime(request, *allocation);
  set_expiry(*allocation, request.now.steady + allocation->granted_lifetime);
  allocation->reservation = wish.reserve_next;
  out.reserve_for_news();
  Output::Event created{.kind = Output::Event::Kind::allocation_created,
                        .tuple = allocation->tuple,
                        .username = allocation->identity.username,
                        .relayed = allocation->relays.front().advertised()};
  Allocation& added = add(std::move(allocation));
  try {
    if (wish.mobile) give_ticket(added);
    answer_allocate(request, added, out);
  } catch (...) {
    erase(added, out);  // nobody has heard of it
    throw;
  }
  out.tell(std::move(created));
}

// TURN REST credentials end here; what was allocated with them in time goes on.
Server::Check Server::check_credential_expiry(const Request& request) const {
  if (request.authenticated->identity.has_expired(request.now.wall)) return ErrorCode::unauthorized;
  return std::nullopt;
}

// RFC 8656 §7.2, and for TCP RFC 6062 §5.1.
Server::Check Server::check_transport(const Request& request, Wish& wish) const {
  const auto value = request.find(AttributeType::requested_transport);
  const auto protocol = value ? stun::decode_requested_transport(*value) : std::nullopt;
  if (!protocol) return ErrorCode::bad_request;
  if (*protocol == stun::kProtocolUdp) return std::nullopt;
  if (*protocol != stun::kProtocolTcp || !connections_) return ErrorCode::unsupported_transport_protocol;
  for (const AttributeType of_udp :
       {AttributeType::even_port, AttributeType::reservation_token, AttributeType::dont_fragment}) {
    if (request.has(of_udp)) return ErrorCode::bad_request;
  }
  if (!is_stream(request.tuple.transport)) return ErrorCode::bad_request;
  wish.transport = RelayedTransport::tcp;
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
  if (const auto ticket = request.find(AttributeType::mobility_ticket); ticket && mobile_.enabled) {
    if (!ticket->empty()) return ErrorCode::bad_request;
    wish.mobile = wish.transport == RelayedTransport::udp;
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

// What was reserved has its place already. A port that is to be reserved needs one beside the allocation's
// own.
Server::Check Server::take_place(const Request& request, Wish& wish, Allocation& allocation, Output& out) {
  if (wish.claim) return claim_relay(*wish.claim, allocation);
  const auth::Identity& identity = allocation.identity;
  const std::string name = identity.quota_name();
  const bool limits_user = limits_.counts_shared_names || !identity.is_shared();
  allocation.quota = quota_.take(name, limits_user);
  if (allocation.quota && wish.reserve_next) {
    wish.place_of_next = quota_.take(name, limits_user);
    if (!wish.place_of_next) allocation.quota = std::move(wish.place_of_next);
  }
  if (!allocation.quota) {
    const bool by_user = allocation.quota.reached() == QuotaLimit::user;
    out.meet(by_user ? LimitKey::allocations_per_user : LimitKey::allocations);
    return ErrorCode::allocation_quota_reached;
  }
  return open_relays(request, wish, allocation);
}

Server::Check Server::claim_relay(const stun::ReservationToken& token, Allocation& allocation) {
  auto relay = ports_.claim(token, reservation_owner(allocation.identity), allocation.quota);
  if (!relay) return to_error(relay.error());
  allocation.relays.push_back(std::move(*relay));
  return std::nullopt;
}

Server::Check Server::open_relays(const Request& request, Wish& wish, Allocation& allocation) {
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
  const std::string owner = reservation_owner(allocation.identity);
  auto relay = ports_.open({
      .family = family,
      .transport = wish.transport,
      .client_side = request.tuple.server.address,
      .parity = wish.even_port ? RelayRequest::Parity::even : RelayRequest::Parity::any,
      .reserve_next = wish.reserve_next,
      .owner = owner,
      .place_of_next = &wish.place_of_next,
  });
  if (!relay) return to_error(relay.error());
  allocation.relays.push_back(std::move(*relay));
  return std::nullopt;
}

// 300 with one of the other servers that the client can reach as it has reached this one (RFC 8489 §10). Who
// is not known is told none of it.
bool Server::is_sent_away(const Request& request, Redirect reason, Output& out) {
  if (!alternates_ || (reason == Redirect::always && alternates_->when != Redirect::always)) return false;
  boost::container::small_vector<const AlternateServer*, 8> suitable;
  for (const AlternateServer& server : alternates_->servers) {
    const bool suits = server.transport == request.tuple.transport &&
                       server.endpoint.family() == request.tuple.client.family();
    if (suits) suitable.push_back(&server);
  }
  if (suitable.empty()) return false;
  const AlternateServer& server = *suitable[random_.below(static_cast<std::uint32_t>(suitable.size()))];

  ++counters_.refusals;
  ++counters_.redirects;
  stun::MessageBuilder builder = response(request, stun::Class::error);
  builder.add_error(ErrorCode::try_alternate).add_address(AttributeType::alternate_server, server.endpoint);
  if (!server.domain.empty()) builder.add(AttributeType::alternate_domain, server.domain);
  finish(request, builder, out);
  tell_refused(request, ErrorCode::try_alternate, out);
  return true;
}

// Absent or shorter than the default is the default, longer than the limit is the limit. What a token has
// left bounds it further (RFC 7635 §10), and what the allocation has left until its greatest age, down to the
// second that makes no end of it.
std::chrono::seconds Server::granted_lifetime(const Request& request, const Allocation& allocation) const {
  const auto value = request.find(AttributeType::lifetime);
  const auto asked = value ? stun::decode_lifetime(*value) : std::nullopt;
  const auto limit = std::chrono::duration_cast<std::chrono::seconds>(limits_.allocation_lifetime);
  const auto granted =
      std::clamp(asked.value_or(kDefaultLifetime), kDefaultLifetime, std::max(limit, kDefaultLifetime));
  Duration left = allocation.latest_end - request.now.steady;
  const auth::Identity& identity = request.authenticated->identity;
  if (identity.is_token()) left = std::min(left, *identity.expires - request.now.wall);
  return std::clamp(std::chrono::floor<std::chrono::seconds>(left), std::chrono::seconds(1), granted);
}

void Server::set_expiry(Allocation& allocation, SteadyTime expiry) {
  allocation.expiry = std::min(expiry, allocation.latest_end);
}

void Server::answer_allocate(const Request& request, const Allocation& allocation, Output& out) {
  stun::MessageBuilder builder = response(request, stun::Class::success);
  for (const Relay& relay : allocation.relays) {
    builder.add_xor_address(AttributeType::xor_relayed_address, relay.advertised());
  }
  builder.add_lifetime(allocation.granted_lifetime);
  if (allocation.mobility) builder.add(AttributeType::mobility_ticket, allocation.mobility->ticket.bytes());
  if (allocation.reservation) builder.add(AttributeType::reservation_token, *allocation.reservation);
  builder.add_xor_address(AttributeType::xor_mapped_address, request.tuple.client);
  if (const auto& missing = allocation.missing_family)
    builder.add_address_error_code(missing->first, missing->second);
  finish(request, builder, out);
}

}  // namespace turnpike::turn
