// Allocate (RFC 8656 §7.2): the checks in the order of the RFC, then the relayed addresses, then the answer.
#include "turnpike/turn/allocator.hpp"

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <iterator>
#include <string>
#include <utility>

#include "limit_met.hpp"
#include "request.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

std::optional<Family> known_family(std::uint8_t wire) {
  if (wire == static_cast<std::uint8_t>(Family::ipv4)) return Family::ipv4;
  if (wire == static_cast<std::uint8_t>(Family::ipv6)) return Family::ipv6;
  return std::nullopt;
}

// A client may send the attribute with its number in RFC 8656 or with the one of the draft.
std::optional<Bytes> find_additional_family(const Request& request) {
  const auto additional = request.find(AttributeType::additional_address_family);
  return additional ? additional : request.find(AttributeType::draft_additional_address_family);
}

ErrorCode to_error(RelayError error) {
  return error == RelayError::no_address ? ErrorCode::address_family_not_supported
                                         : ErrorCode::insufficient_capacity;
}

constexpr AttributeType kOfSimpleClients[] = {
    AttributeType::requested_transport, AttributeType::requested_address_family, AttributeType::username,
    AttributeType::realm, AttributeType::nonce};

// Whether the client must find DATA in each Data indication. RFC 5766 §10.4 promises it, and the clients of
// Pion, webrtc-rs and SIPSorcery receive nothing more after an indication without it. Their Allocate has
// FINGERPRINT, is signed with SHA-1, and asks for nothing but a relayed address. Other old clients ignore an
// indication without DATA.
bool needs_data(const Request& request) {
  bool needs =
      request.message.has_fingerprint() && request.authenticated->integrity != auth::Integrity::sha256;
  request.message.for_each([&](const stun::Attribute& attribute) {
    needs = needs && std::ranges::find(kOfSimpleClients, attribute.type) != std::end(kOfSimpleClients);
  });
  return needs;
}

// Returns the owner of a reservation, who alone may claim it. A client may have another access token when it
// claims the reservation, so a reservation of a token has no owner; its 64 random bits keep others away.
std::string reservation_owner(const auth::Identity& identity) {
  return identity.is_token() ? std::string() : identity.quota_name();
}

}  // namespace

Allocator::Allocator(const ServerParams& params, const Settings& settings, Allocations& allocations,
                     Moves& moves, Lifetimes& lifetimes, Reservations& reservations, Responder& responder,
                     Counters& counters, Breakdown& breakdown)
    : settings_(settings),
      relays_tcp_(params.connections != nullptr),
      ports_(params.ports),
      quota_(params.quota),
      address_quota_(params.address_quota),
      random_(params.random),
      allocations_(allocations),
      moves_(moves),
      lifetimes_(lifetimes),
      reservations_(reservations),
      responder_(responder),
      counters_(counters),
      breakdown_(breakdown) {}

void Allocator::on_allocate(Request& request, Output& out) {
  if (request.allocation) return answer_again(request, out);
  // An expired TURN REST name cannot make an allocation. An allocation that it made in time continues.
  if (request.sender().has_expired(request.now.wall)) return responder_.reject_expired(request, out);
  AllocateOptions options;
  if (auto e = check_transport(request, options)) return responder_.reject(request, *e, out);
  if (auto e = read_options(request, options)) return responder_.reject(request, *e, out);
  if (settings_.draining && !options.claim) {  // a reservation belongs to a call that has begun
    if (redirect(request, Redirect::full, out)) return;
    return responder_.reject(request, ErrorCode::insufficient_capacity, out);
  }
  const bool may_go = !options.claim;  // a reserved port is on this server
  if (may_go && redirect(request, Redirect::always, out)) return;

  auto allocation = std::make_unique<Allocation>();
  allocation->identity = request.sender();
  if (options.reserve_next) reservations_.add(*options.reserve_next, request.now.steady);
  if (auto e = acquire_relays(request, options, *allocation, out)) {
    if (options.reserve_next) reservations_.withdraw_last();
    const bool is_full =
        allocation->quota.reached() != QuotaLimit::user &&
        allocation->address_quota.reached() == QuotaLimit::none &&
        (*e == ErrorCode::allocation_quota_reached || *e == ErrorCode::insufficient_capacity);
    if (may_go && is_full && redirect(request, Redirect::full, out)) return;
    return responder_.reject(request, *e, out);
  }
  add_allocation(request, options, std::move(allocation), out);
}

// The 5-tuple already has an allocation. Over UDP, this may be a retransmission, because the answer was lost.
// A stream loses nothing, so over a stream it is a new request, and is refused.
void Allocator::answer_again(Request& request, Output& out) {
  const bool retransmitted = !is_stream(request.tuple.transport) &&
                             request.allocation->transaction_id == request.message.transaction_id() &&
                             request.sender().may_act_for(request.allocation->identity);
  if (!retransmitted) return responder_.reject(request, ErrorCode::allocation_mismatch, out);
  answer(request, *request.allocation, out);
}

// Adds the allocation to the table, reports it and answers.
void Allocator::add_allocation(const Request& request, const AllocateOptions& options,
                               std::unique_ptr<Allocation> allocation, Output& out) {
  allocation->tuple = request.tuple;
  allocation->transport = options.transport;
  allocation->needs_data = needs_data(request);
  allocation->number = ++last_number_;
  allocation->first_family = allocation->relays.front().family();
  allocation->created = request.now.steady;
  allocation->transaction_id = request.message.transaction_id();
  allocation->credentials_expiry = allocation->identity.expires;
  allocation->latest_end = Lifetimes::latest_end_of(*allocation, settings_, request.now);
  allocation->granted_lifetime = Lifetimes::granted(request, *allocation, settings_.limits);
  allocation->set_expiry(request.now.steady + allocation->granted_lifetime);
  allocation->reservation = options.reserve_next;
  out.reserve_for_news();
  Output::Lifetime created{.kind = Output::Lifetime::Kind::created,
                           .tuple = allocation->tuple,
                           .username = allocation->identity.username,
                           .relayed = allocation->relays.front().advertised(),
                           .number = allocation->number};
  Allocation& added = allocations_.add(std::move(allocation));
  ++counters_.allocations_created;
  ++breakdown_.of(added.tuple.transport).created[Breakdown::index_of(added.first_family)];
  try {
    if (options.mobile) moves_.give_ticket(added);
    answer(request, added, out);
  } catch (...) {
    lifetimes_.erase(added, out);  // the client does not know it yet
    throw;
  }
  out.report(std::move(created));
}

// Checks REQUESTED-TRANSPORT (RFC 8656 §7.2; RFC 6062 §5.1 for TCP).
Check Allocator::check_transport(const Request& request, AllocateOptions& options) const {
  const auto value = request.find(AttributeType::requested_transport);
  const auto protocol = value ? stun::decode_requested_transport(*value) : std::nullopt;
  if (!protocol) return ErrorCode::bad_request;
  if (*protocol == stun::kProtocolUdp) return std::nullopt;
  if (*protocol != stun::kProtocolTcp || !relays_tcp_) return ErrorCode::unsupported_transport_protocol;
  for (const AttributeType of_udp :
       {AttributeType::even_port, AttributeType::reservation_token, AttributeType::dont_fragment}) {
    if (request.has(of_udp)) return ErrorCode::bad_request;
  }
  if (!is_stream(request.tuple.transport)) return ErrorCode::bad_request;
  options.transport = RelayedTransport::tcp;
  return std::nullopt;
}

// Reads the attributes that every Allocate may have, and those of a claim (RFC 8656 §7.2).
Check Allocator::read_options(const Request& request, AllocateOptions& options) const {
  const auto token = request.find(AttributeType::reservation_token);
  const auto even_port = request.find(AttributeType::even_port);
  if (const auto lifetime = request.find(AttributeType::lifetime)) {
    if (!stun::decode_lifetime(*lifetime)) return ErrorCode::bad_request;
  }
  if (const auto ticket = request.find(AttributeType::mobility_ticket); ticket && moves_.params().enabled) {
    if (!ticket->empty()) return ErrorCode::bad_request;
    options.mobile = options.transport == RelayedTransport::udp;
  }
  if (token) {
    const bool has_family =
        request.has(AttributeType::requested_address_family) || find_additional_family(request);
    if (even_port || has_family) return ErrorCode::bad_request;
    options.claim = stun::decode_reservation_token(*token);
    if (!options.claim) return ErrorCode::bad_request;
    return std::nullopt;
  }

  if (auto e = read_families(request, options)) return e;
  if (even_port) {
    const auto reserve = stun::decode_even_port(*even_port);
    if (!reserve || (*reserve && options.both_families)) return ErrorCode::bad_request;
    options.even_port = true;
    if (*reserve) random_.fill(options.reserve_next.emplace());
  }
  return std::nullopt;
}

// Reads REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY. A request may have one of the two.
Check Allocator::read_families(const Request& request, AllocateOptions& options) const {
  const auto requested = request.find(AttributeType::requested_address_family);
  const auto additional = find_additional_family(request);
  if (requested && additional) return ErrorCode::bad_request;
  options.family = additional ? Family::ipv4 : default_family(request);
  if (requested) {
    const auto wire = stun::decode_address_family(*requested);
    if (!wire) return ErrorCode::bad_request;
    options.family = known_family(*wire);
    if (!options.family || !ports_.supports(*options.family)) return ErrorCode::address_family_not_supported;
  }
  if (additional) {
    const auto wire = stun::decode_address_family(*additional);
    if (wire != static_cast<std::uint8_t>(Family::ipv6)) return ErrorCode::bad_request;
    options.both_families = true;
  }
  return std::nullopt;
}

// RFC 8656 §7.2 says IPv4 when the client names no family; the operator may configure another.
Family Allocator::default_family(const Request& request) const {
  switch (settings_.default_family) {
    case DefaultFamily::ipv4: return Family::ipv4;
    case DefaultFamily::ipv6: return Family::ipv6;
    case DefaultFamily::client: break;
  }
  const Family own = unmapped(request.tuple.client.address).family();
  return ports_.supports(own) ? own : Family::ipv4;
}

// A claimed reservation already has its place in the quota. A port that is to be reserved needs a second
// place beside that of the allocation.
Check Allocator::acquire_relays(const Request& request, AllocateOptions& options, Allocation& allocation,
                                Output& out) {
  if (address_quota_) {
    const IpAddress& client = request.tuple.client.address;
    allocation.address_quota =
        address_quota_->take(source_block(client).to_string(), !settings_.is_exempt(client));
    if (!allocation.address_quota) {
      refuse_for(LimitKey::allocations_per_address, counters_, out);
      return ErrorCode::allocation_quota_reached;
    }
  }
  if (options.claim) return claim_relay(*options.claim, allocation);
  const auth::Identity& identity = allocation.identity;
  const std::string name = identity.quota_name();
  const bool limits_user = settings_.limits.counts_shared_names || !identity.is_shared();
  allocation.quota = quota_.take(name, limits_user);
  if (allocation.quota && options.reserve_next) {
    options.slot_of_next = quota_.take(name, limits_user);
    if (!options.slot_of_next) allocation.quota = std::move(options.slot_of_next);
  }
  if (!allocation.quota) {
    const bool by_user = allocation.quota.reached() == QuotaLimit::user;
    refuse_for(by_user ? LimitKey::allocations_per_user : LimitKey::allocations, counters_, out);
    return ErrorCode::allocation_quota_reached;
  }
  return open_relays(request, options, allocation);
}

Check Allocator::claim_relay(const stun::ReservationToken& token, Allocation& allocation) {
  auto relay = ports_.claim(token, reservation_owner(allocation.identity), allocation.quota);
  if (!relay) return to_error(relay.error());
  allocation.relays.push_back(std::move(*relay));
  return std::nullopt;
}

Check Allocator::open_relays(const Request& request, AllocateOptions& options, Allocation& allocation) {
  Check first = open_relay(request, options, *options.family, allocation);
  if (!options.both_families) return first;
  Check second = open_relay(request, options, Family::ipv6, allocation);
  if (first && second) return first;
  // One of the two families is enough for a success; the answer says why the other is missing.
  if (first) allocation.missing_family = {Family::ipv4, *first};
  if (second) allocation.missing_family = {Family::ipv6, *second};
  return std::nullopt;
}

Check Allocator::open_relay(const Request& request, AllocateOptions& options, Family family,
                            Allocation& allocation) {
  const std::string owner = reservation_owner(allocation.identity);
  auto relay = ports_.open({
      .family = family,
      .transport = options.transport,
      .client_side = request.tuple.server.address,
      .parity = options.even_port ? RelayRequest::Parity::even : RelayRequest::Parity::any,
      .reserve_next = options.reserve_next,
      .owner = owner,
      .slot_of_next = &options.slot_of_next,
  });
  if (!relay) return to_error(relay.error());
  allocation.relays.push_back(std::move(*relay));
  return std::nullopt;
}

// Redirects the client to another server with the transport and family that the client uses now (RFC 8489
// §10). Only authenticated clients learn of these servers. Returns true when it has answered.
bool Allocator::redirect(const Request& request, Redirect reason, Output& out) {
  const AlternateParams* const alternates = settings_.alternates;
  if (!alternates || (reason == Redirect::always && alternates->when != Redirect::always)) return false;
  boost::container::small_vector<const AlternateServer*, 8> suitable;
  for (const AlternateServer& server : alternates->servers) {
    const bool suits = server.transport == request.tuple.transport &&
                       server.endpoint.family() == request.tuple.client.family();
    if (suits) suitable.push_back(&server);
  }
  if (suitable.empty()) return false;
  const auto index = random_.below(static_cast<std::uint32_t>(suitable.size()));
  responder_.redirect(request, *suitable[index], out);
  return true;
}

void Allocator::answer(const Request& request, const Allocation& allocation, Output& out) {
  stun::MessageBuilder builder = responder_.begin(request, stun::Class::success);
  for (const Relay& relay : allocation.relays) {
    builder.add_xor_address(AttributeType::xor_relayed_address, relay.advertised());
  }
  builder.add_lifetime(allocation.granted_lifetime);
  if (allocation.mobility) builder.add(AttributeType::mobility_ticket, allocation.mobility->ticket.bytes());
  if (allocation.reservation) builder.add(AttributeType::reservation_token, *allocation.reservation);
  builder.add_xor_address(AttributeType::xor_mapped_address, request.tuple.client);
  if (const auto& missing = allocation.missing_family)
    builder.add_address_error_code(missing->first, missing->second);
  responder_.finish(request, builder, out);
}

}  // namespace turnpike::turn
