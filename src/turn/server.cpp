#include "turnpike/turn/server.hpp"

#include <algorithm>
#include <new>

#include "known_attributes.hpp"
#include "request.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;
using stun::Method;

namespace {

// Discarded permissions that are freed at once: more than most allocations have, and nobody notices.
constexpr std::size_t kFew = 256;

bool is_turn_request(Method method) {
  switch (method) {
    case Method::allocate:
    case Method::refresh:
    case Method::create_permission:
    case Method::channel_bind:
    case Method::connect:
    case Method::connection_bind: return true;
    default: return false;
  }
}

}  // namespace

Server::Server(const Params& params)
    : credentials_(params.credentials),
      policy_(&params.policy),
      ports_(params.ports),
      quota_(params.quota),
      connection_quota_(params.connection_quota),
      limiters_(params.limiters),
      random_(params.random),
      connections_(params.connections),
      mobile_(params.mobile),
      alternates_(params.alternates),
      limits_(params.limits),
      nat_discoveries_(params.nat_discoveries),
      hash_key_(crypto::draw_hash_key(params.random)),
      long_term_(digester_, params.nonce_key, params.nonce_lifetime),
      allocations_(0, KeyedHash(hash_key_)),
      moves_(0, KeyedHash(hash_key_)),
      indication_ids_(params.random.below(std::minstd_rand::max())) {}

Server::~Server() { deadlines_.clear(); }

void Server::on_client(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out) {
  if (stun::looks_like_channel_data(message)) return on_channel_data(tuple, message, now, out);
  const auto parsed = stun::MessageView::parse(message);
  if (!parsed) {
    ++counters_.client_malformed;
    return;
  }
  if (parsed->message_class() == Class::request) return on_request(tuple, *parsed, now, out);
  if (parsed->type() == stun::MessageType{Method::send, Class::indication})
    return on_send(tuple, *parsed, now, out);
  // A Binding indication is a keepalive and asks for nothing (RFC 8489 §6.3.2).
  if (parsed->type() != stun::MessageType{Method::binding, Class::indication}) ++counters_.client_unexpected;
}

void Server::on_client_closed(const FiveTuple& tuple, TimePoint, Output& out) {
  if (Allocation* allocation = find(tuple)) {
    if (!allocation->mobility) remove(*allocation, out);
  } else if (const auto move = moves_.find(tuple); move != moves_.end()) {
    cancel_move(*move->second, out);
  }
}

void Server::on_request(const FiveTuple& tuple, const stun::MessageView& message, TimePoint now,
                        Output& out) {
  Request request{tuple, message, now};
  if (message.method() == Method::binding) {
    ++counters_.requests;
    return on_binding(request, out);
  }
  if (!is_turn_request(message.method())) {  // RFC 8489 §6.3: not a method of ours, so dropped
    ++counters_.client_unexpected;
    return;
  }
  ++counters_.requests;
  const std::size_t before = out.to_clients().size();
  try {
    check_request(request, out);
  } catch (const std::bad_alloc&) {
    // Whatever it wanted has not been done, unless that was answered and only telling of it failed. The
    // answer fits into what there is.
    ++counters_.out_of_memory;
    if (out.to_clients().size() == before) reject(request, ErrorCode::insufficient_capacity, out);
  }
}

void Server::check_request(Request& request, Output& out) {
  const FiveTuple& tuple = request.tuple;
  if (credentials_.empty() || is_for_discovery_alone(tuple)) {  // STUN only
    return reject(request, ErrorCode::forbidden, out);
  }

  request.allocation = find_current(tuple, request.now, out);
  const std::optional<auth::Identity> awaited = find_awaited(request);
  const auth::Identity* known = awaited ? &*awaited : find_arriving(request);
  if (request.allocation) known = &request.allocation->identity;
  auto checked = long_term_.check(credentials_, request.message, tuple, request.now.wall, known);
  if (!checked) {
    request.had_valid_nonce = checked.error().had_valid_nonce;
    if (!checked.error().is_failure || limiters_.failures.allow(tuple.client.address, request.now.steady))
      return reject(request, checked.error().code, out);
    ++counters_.failures_withheld;
    return tell_refused(request, checked.error().code, out, false);
  }
  request.authenticated = std::move(*checked);
  request.had_valid_nonce = true;
  on_authenticated(request, out);
}

void Server::on_authenticated(Request& request, Output& out) {
  const UnknownTypes unknown = unknown_required(request.message, {.tokens = credentials_.takes_tokens()});
  if (!unknown.empty()) return reject_unknown(request, {unknown.data(), unknown.size()}, out);
  if (request.message.method() == Method::allocate) return on_allocate(request, out);
  if (request.message.method() == Method::connection_bind) return on_connection_bind(request, out);

  const bool may_move = mobile_.enabled && !request.allocation;
  if (may_move && request.message.method() == Method::refresh &&
      request.has(AttributeType::mobility_ticket)) {
    return on_move(request, out);
  }
  if (may_move) {
    request.allocation = settle_move(request.tuple, &request.authenticated->identity, request.now, out);
  }
  if (!request.allocation) return reject(request, ErrorCode::allocation_mismatch, out);  // RFC 8656 §5
  if (!request.authenticated->identity.may_act_for(request.allocation->identity)) {
    return reject(request, ErrorCode::wrong_credentials, out);
  }
  switch (request.message.method()) {
    case Method::refresh: return on_refresh(request, out);
    case Method::create_permission: return on_create_permission(request, out);
    case Method::connect: return on_connect(request, out);
    default: return on_channel_bind(request, out);
  }
}

// RFC 8656 §8.2.
void Server::on_refresh(Request& request, Output& out) {
  Allocation& allocation = *request.allocation;
  std::optional<Family> family;
  if (const auto value = request.find(AttributeType::requested_address_family)) {
    const auto wire = stun::decode_address_family(*value);
    if (!wire) return reject(request, ErrorCode::bad_request, out);
    family = Family{*wire};
    if (!allocation.relay_for(*family)) return reject(request, ErrorCode::peer_address_family_mismatch, out);
  }
  std::chrono::seconds lifetime = granted_lifetime(request, allocation);
  if (const auto value = request.find(AttributeType::lifetime)) {
    const auto asked = stun::decode_lifetime(*value);
    if (!asked) return reject(request, ErrorCode::bad_request, out);
    if (asked->count() == 0) lifetime = std::chrono::seconds::zero();
  }
  if (lifetime.count() != 0 && asks_for_token(request, out)) return;

  const auth::Identity& identity = request.authenticated->identity;
  stun::MessageBuilder builder = response(request, Class::success);
  builder.add_lifetime(lifetime);
  // The answer first, which there may be no memory for: then nothing has been done.
  out.reserve_for_news();
  finish(request, builder, out);
  if (lifetime.count() != 0) {
    set_expiry(allocation, request.now.steady + lifetime);
    if (identity.is_token()) allocation.identity = identity;  // a new one takes over, and its key with it
    wake_by(allocation, allocation.expiry);
  } else if (family && allocation.relays.size() > 1) {
    close_relay(allocation, *family);  // of a dual allocation, one family may go alone
  } else {
    remove(allocation, out);
    request.allocation = nullptr;
  }
}

// The token that the allocation was made with lives no longer, and no other was given. True: so it was
// answered.
bool Server::asks_for_token(Request& request, Output& out) {
  const auth::Identity& identity = request.authenticated->identity;
  if (!identity.is_token() || !identity.has_expired(request.now.wall)) return false;
  request.authenticated.reset();
  reject(request, ErrorCode::unauthorized, out);
  return true;
}

// --- Answers
// ---------------------------------------------------------------------------------------------------------

stun::MessageBuilder Server::response(const Request& request, Class message_class) {
  return {scratch_, {request.message.method(), message_class}, request.message.transaction_id()};
}

// Only plain UDP can be asked in another's name: all others have shown that they are where they say they are.
bool Server::allow_answer(const Request& request) {
  if (request.had_valid_nonce || request.tuple.transport != Transport::udp) return true;
  AddressLimiter& limiter =
      request.message.method() == Method::binding ? limiters_.bindings : limiters_.unauthenticated;
  return limiter.allow_unproven(request.tuple.client.address, request.now.steady);
}

// Signs as the request was signed (RFC 8489 §9.2.4), and adds a fingerprint where the request had one.
void Server::finish(const Request& request, stun::MessageBuilder& builder, Output& out) {
  if (!allow_answer(request)) {
    ++counters_.answers_withheld;
    return;
  }
  if (request.authenticated) {
    const Bytes key = request.authenticated->identity.key.bytes();
    if (request.authenticated->integrity == auth::Integrity::sha256) {
      builder.add_integrity_sha256(digester_, key);
    } else {
      builder.add_integrity_sha1(digester_, key);
    }
  }
  if (request.message.has_fingerprint()) builder.add_fingerprint();
  if (builder.ok()) out.send_to_client(request.answer_to.value_or(request.tuple), builder.bytes());
}

void Server::succeed(const Request& request, Output& out) {
  stun::MessageBuilder builder = response(request, Class::success);
  finish(request, builder, out);
}

void Server::reject(const Request& request, ErrorCode error, Output& out) {
  ++counters_.refusals;
  stun::MessageBuilder builder = response(request, Class::error);
  builder.add_error(error);
  const bool challenge = error == ErrorCode::unauthorized || error == ErrorCode::stale_nonce;
  if (challenge) long_term_.add_challenge(credentials_, request.tuple, request.now.wall, builder);
  finish(request, builder, out);
  tell_refused(request, error, out);
}

// A client's first request is always refused, to hand it a nonce: that is nothing to tell.
void Server::tell_refused(const Request& request, ErrorCode error, Output& out, bool answered) const {
  if (!request.had_valid_nonce) return;
  const auto username = request.find(AttributeType::username);
  out.tell({.kind = Output::Event::Kind::request_refused,
            .tuple = request.tuple,
            .username = std::string(username ? as_text(*username) : ""),
            .method = request.message.method(),
            .error = error,
            .answered = answered,
            .network = error == ErrorCode::forbidden ? network_that_forbids(request) : std::nullopt});
}

// Of the first peer that such a one keeps out of reach.
std::optional<Prefix> Server::network_that_forbids(const Request& request) const {
  std::optional<Prefix> network;
  request.message.for_each([&](const stun::Attribute& attribute) {
    if (network || attribute.type != AttributeType::xor_peer_address) return;
    const auto peer = stun::decode_xor_address(attribute.value, request.message.transaction_id());
    if (peer) network = policy_->closed_network_of(ports_.to_local(peer->address));
  });
  return network;
}

void Server::reject_unknown(const Request& request, std::span<const AttributeType> unknown, Output& out) {
  ++counters_.refusals;
  stun::MessageBuilder builder = response(request, Class::error);
  builder.add_error(ErrorCode::unknown_attribute).add_unknown_attributes(unknown);
  finish(request, builder, out);
}

// --- The books
// -------------------------------------------------------------------------------------------------------

Allocation* Server::find(const FiveTuple& tuple) {
  const auto found = allocations_.find(tuple);
  return found == allocations_.end() ? nullptr : found->second.get();
}

Allocation* Server::find_current(const FiveTuple& tuple, TimePoint now, Output& out) {
  Allocation* allocation = find(tuple);
  if (!allocation || now.steady < allocation->expiry) return allocation;
  remove(*allocation, out);
  return nullptr;
}

Allocation* Server::find_or_settle(const FiveTuple& tuple, TimePoint now, Output& out) {
  Allocation* allocation = find_current(tuple, now, out);
  return allocation || moves_.empty() ? allocation : settle_move(tuple, nullptr, now, out);
}

Allocation* Server::find(RelayId relay, TimePoint now) {
  const auto index = static_cast<std::size_t>(relay);
  Allocation* allocation = index < by_relay_.size() ? by_relay_[index] : nullptr;
  return allocation && now.steady < allocation->expiry ? allocation : nullptr;
}

// What needs memory comes first: either all of it is done or nothing.
Allocation& Server::add(std::unique_ptr<Allocation> allocation) {
  for (const Relay& relay : allocation->relays) {
    const auto index = static_cast<std::size_t>(relay.id());
    if (index >= by_relay_.size()) by_relay_.resize(index + 1);
  }
  std::unique_ptr<Allocation>& place = allocations_[allocation->tuple];
  place = std::move(allocation);
  Allocation& added = *place;
  for (const Relay& relay : added.relays) by_relay_[static_cast<std::size_t>(relay.id())] = &added;
  added.deadline = added.expiry;
  deadlines_.insert(added);
  ++counters_.allocations_created;
  return added;
}

void Server::remove(Allocation& allocation, Output& out, bool was_too_old) {
  out.reserve_for_news();
  close_connections(allocation);
  out.tell({.kind = Output::Event::Kind::allocation_deleted,
            .tuple = allocation.tuple,
            .username = std::move(allocation.identity.username),
            .relayed = allocation.relays.front().advertised(),
            .was_too_old = was_too_old});
  erase(allocation, out);
}

// Without a word of it.
void Server::erase(Allocation& allocation, Output& out) {
  ++counters_.allocations_deleted;
  forget_mobility(allocation, out);
  for (const Relay& relay : allocation.relays) by_relay_[static_cast<std::size_t>(relay.id())] = nullptr;
  deadlines_.erase(deadlines_.iterator_to(allocation));
  allocation.peers.clear(discarded_);
  discarded_.free(kFew);
  const FiveTuple tuple = allocation.tuple;
  out.leave(tuple);
  allocations_.erase(tuple);
}

void Server::close_relay(Allocation& allocation, Family family) {
  const auto relay = std::ranges::find(allocation.relays, family, &Relay::family);
  by_relay_[static_cast<std::size_t>(relay->id())] = nullptr;
  allocation.relays.erase(relay);
  allocation.peers.remove_family(family, discarded_);
  discarded_.free(kFew);
  close_connections(allocation, family);
}

// Deadlines that move later are noticed when the old one comes.
void Server::wake_by(Allocation& allocation, SteadyTime deadline) {
  if (deadline >= allocation.deadline) return;
  deadlines_.erase(deadlines_.iterator_to(allocation));
  allocation.deadline = deadline;
  deadlines_.insert(allocation);
}

SteadyTime Server::next_deadline() const {
  if (!discarded_.empty()) return SteadyTime::min();
  SteadyTime next = SteadyTime::max();
  if (!deadlines_.empty()) next = deadlines_.begin()->deadline;
  if (!reservations_.empty()) next = std::min(next, reservations_.front().at);
  return std::min(next, connection_deadlines_.next());
}

// In steps of about half a microsecond. Whatever expires at once, a call does not take much more than a
// millisecond.
void Server::on_timeout(TimePoint now, Output& out) {
  constexpr std::size_t kMostSteps = 2048;
  constexpr std::size_t kStepsToClose = 32;  // a socket
  std::size_t steps = 0;
  for (; steps < kMostSteps && !reservations_.empty() && reservations_.front().at <= now.steady;
       steps += kStepsToClose) {
    ports_.release(reservations_.front().token);
    reservations_.pop_front();
  }
  if (steps < kMostSteps) {
    steps += kStepsToClose * expire_connections(now, (kMostSteps - steps) / kStepsToClose, out);
  }
  while (steps < kMostSteps && !deadlines_.empty() && deadlines_.begin()->deadline <= now.steady) {
    Allocation& allocation = *deadlines_.begin();
    if (allocation.expiry <= now.steady) {
      steps += kStepsToClose * allocation.relays.size() + allocation.peers.channels();
      remove(allocation, out, allocation.latest_end <= now.steady);
      continue;
    }
    steps += 1 + allocation.peers.purge(now.steady, kMostSteps - steps);
    deadlines_.erase(deadlines_.begin());
    allocation.deadline = std::min(allocation.expiry, allocation.peers.next_expiry());
    deadlines_.insert(allocation);
  }
  if (steps < kMostSteps) steps += discarded_.free(kMostSteps - steps);
  counters_.expiry_steps += steps;
}

}  // namespace turnpike::turn
