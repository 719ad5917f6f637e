#include "turnpike/turn/lifetimes.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "request.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;

// Returns the requested lifetime, but at least the default and at most the limit. The result is also at most
// what is left of an access token (RFC 7635 §10) and of the allocation's greatest age. It is at least one
// second, since a lifetime of zero would end the allocation.
std::chrono::seconds Lifetimes::granted(const Request& request, const Allocation& allocation,
                                        const Limits& limits) {
  const auto value = request.find(AttributeType::lifetime);
  const auto asked = value ? stun::decode_lifetime(*value) : std::nullopt;
  const auto limit = std::chrono::duration_cast<std::chrono::seconds>(limits.allocation_lifetime);
  const auto granted =
      std::clamp(asked.value_or(kDefaultLifetime), kDefaultLifetime, std::max(limit, kDefaultLifetime));
  Duration left = allocation.latest_end - request.now.steady;
  const auth::Identity& sender = request.sender();
  if (sender.is_token()) left = std::min(left, *sender.expires - request.now.wall);
  return std::clamp(std::chrono::floor<std::chrono::seconds>(left), std::chrono::seconds(1), granted);
}

SteadyTime Lifetimes::latest_end_of(const Allocation& allocation, const Settings& settings, TimePoint now) {
  SteadyTime end = SteadyTime::max();
  if (settings.limits.allocation_age != Duration::zero())
    end = allocation.created + settings.limits.allocation_age;
  if (settings.strict_expiry && allocation.credentials_expiry)
    end = std::min(end, now.steady + (*allocation.credentials_expiry - now.wall));
  return end;
}

// --- Refresh

// RFC 8656 §8.2.
void Lifetimes::on_refresh(Request& request, Output& out) {
  Allocation& allocation = *request.allocation;
  std::optional<Family> family;
  if (const auto value = request.find(AttributeType::requested_address_family)) {
    const auto wire = stun::decode_address_family(*value);
    if (!wire) return responder_.reject(request, ErrorCode::bad_request, out);
    family = Family{*wire};
    if (!allocation.relay_for(*family))
      return responder_.reject(request, ErrorCode::peer_address_family_mismatch, out);
  }
  std::chrono::seconds lifetime = granted(request, allocation, settings_.limits);
  if (const auto value = request.find(AttributeType::lifetime)) {
    const auto asked = stun::decode_lifetime(*value);
    if (!asked) return responder_.reject(request, ErrorCode::bad_request, out);
    if (asked->count() == 0) lifetime = std::chrono::seconds::zero();
  }
  if (lifetime.count() != 0 && reject_old_token(request, out)) return;

  stun::MessageBuilder builder = responder_.begin(request, Class::success);
  builder.add_lifetime(lifetime);
  // A client that sends a ticket here may not have received the answer to its move, and so may not have the
  // new ticket. The move itself is complete, because data of the client have arrived on the new path.
  if (lifetime.count() != 0 && allocation.mobility && request.has(AttributeType::mobility_ticket))
    builder.add(AttributeType::mobility_ticket, allocation.mobility->ticket.bytes());
  // The answer is built first, so that nothing has changed if there is no memory for it.
  out.reserve_for_news();
  responder_.finish(request, builder, out);
  if (lifetime.count() != 0) {
    allocations_.extend(allocation, request.now.steady + lifetime);
    // A new token replaces the former one, and its key the former key.
    if (request.sender().is_token()) allocation.identity = request.sender();
  } else if (family && allocation.relays.size() > 1) {
    close_relay(allocation, *family, out);  // one of two families
  } else {
    remove(allocation, EndReason::refresh, request.now, out);
    request.allocation = nullptr;
  }
}

// Refuses the request when its sender's access token has expired and the request has no new one. Returns true
// when it has refused.
bool Lifetimes::reject_old_token(Request& request, Output& out) {
  if (!request.sender().is_token() || !request.sender().has_expired(request.now.wall)) return false;
  responder_.reject_expired(request, out);
  return true;
}

// --- Refresh with MOBILITY-TICKET (RFC 8016 §3.2)

Check Lifetimes::check_ticket(const Request& request, const Ticket& ticket) const {
  const Allocation* allocation = moves_.find(ticket);
  if (!allocation || allocation->expiry <= request.now.steady) return ErrorCode::bad_request;
  if (!Moves::may_move(request.sender(), *allocation)) return ErrorCode::wrong_credentials;
  const auto lifetime = request.find(AttributeType::lifetime);
  if (lifetime && !stun::decode_lifetime(*lifetime)) return ErrorCode::bad_request;
  return std::nullopt;
}

void Lifetimes::on_move(Request& request, Output& out) {
  const auto ticket = Ticket::from_wire(*request.find(AttributeType::mobility_ticket));
  if (!ticket || ticket->worker() >= moves_.params().workers)
    return responder_.reject(request, ErrorCode::bad_request, out);
  if (ticket->worker() != moves_.params().worker)
    return out.forward(ticket->worker(), request.tuple, request.message.bytes());
  if (auto e = check_ticket(request, *ticket)) return responder_.reject(request, *e, out);
  Allocation& allocation = *moves_.find(*ticket);
  const auto value = request.find(AttributeType::lifetime);
  const bool gives_up = value && stun::decode_lifetime(*value)->count() == 0;
  if (!gives_up && reject_old_token(request, out)) return;
  stun::MessageBuilder builder = responder_.begin(request, Class::success);
  if (gives_up) {
    builder.add_lifetime(std::chrono::seconds::zero());
    remove(allocation, EndReason::refresh, request.now, out);
  } else {
    const auto& move = allocation.mobility->move;
    const bool again =
        move && move->to == request.tuple && move->transaction_id == request.message.transaction_id();
    if (!again) moves_.begin(allocation, request, out);
    // The key is the same, but a new token may have given it a later expiry.
    if (request.sender().is_token()) allocation.identity = request.sender();
    const std::chrono::seconds lifetime = granted(request, allocation, settings_.limits);
    allocations_.extend(allocation, request.now.steady + lifetime);
    builder.add_lifetime(lifetime);
    builder.add(AttributeType::mobility_ticket, allocation.mobility->ticket.bytes());
  }
  responder_.finish(request, builder, out);
}

// --- Look-ups of allocations

Allocation* Lifetimes::find_current(const FiveTuple& tuple, TimePoint now, Output& out) {
  Allocation* allocation = allocations_.find(tuple);
  if (!allocation || now.steady < allocation->expiry) return allocation;
  remove(*allocation, why_expired(*allocation, now), now, out);
  return nullptr;
}

Allocation* Lifetimes::find_or_complete_move(const FiveTuple& tuple, TimePoint now, Output& out) {
  Allocation* allocation = find_current(tuple, now, out);
  return allocation || moves_.empty() ? allocation : moves_.complete(tuple, nullptr, now, out);
}

// --- Ends

// Returns the reason why an allocation whose expiry has passed ends.
EndReason Lifetimes::why_expired(const Allocation& allocation, TimePoint now) const {
  if (now.steady < allocation.latest_end) return EndReason::expired;
  const bool is_too_old = settings_.limits.allocation_age != Duration::zero() &&
                          allocation.created + settings_.limits.allocation_age <= now.steady;
  return is_too_old ? EndReason::allocation_age : EndReason::credentials_expired;
}

void Lifetimes::follow_settings(TimePoint now) {
  allocations_.for_each([&](Allocation& allocation) {
    allocation.latest_end = latest_end_of(allocation, settings_, now);
    allocations_.extend(allocation, allocation.expiry);
  });
}

void Lifetimes::remove(Allocation& allocation, EndReason reason, TimePoint now, Output& out) {
  out.reserve_for_news();
  tcp_connections_.close(allocation);
  out.report(Output::Lifetime{
      .kind = Output::Lifetime::Kind::deleted,
      .tuple = allocation.tuple,
      .username = std::move(allocation.identity.username),
      .relayed = allocation.relays.front().advertised(),
      .number = allocation.number,
      .reason = reason,
      .age = std::chrono::duration_cast<std::chrono::seconds>(now.steady - allocation.created),
      .peers = allocation.peers.permitted(),
      .rx_packets = allocation.rx_packets,
      .rx_bytes = allocation.bytes(Direction::from_client),
      .tx_packets = allocation.tx_packets,
      .tx_bytes = allocation.bytes(Direction::to_client),
      .dropped_packets = allocation.dropped_packets});
  erase(allocation, out);
}

void Lifetimes::erase(Allocation& allocation, Output& out) {
  ++counters_.allocations_deleted;
  ++breakdown_.of(allocation.tuple.transport).left[Breakdown::index_of(allocation.first_family)];
  moves_.remove(allocation, out);
  out.leave(allocation.tuple);
  const std::unique_ptr<Allocation> gone = allocations_.erase(allocation);
  for (Relay& relay : gone->relays) out.close(std::move(relay));
}

void Lifetimes::close_relay(Allocation& allocation, Family family, Output& out) {
  out.close(allocations_.remove_relay(allocation, family));
  tcp_connections_.close(allocation, family);
}

std::size_t Lifetimes::expire(TimePoint now, std::size_t most, Output& out) {
  std::size_t steps = 0;
  while (steps < most) {
    Allocation* allocation = allocations_.first_due(now.steady);
    if (!allocation) break;
    if (allocation->expiry <= now.steady) {
      steps += kStepsToClose * allocation->relays.size() + allocation->peers.channels();
      remove(*allocation, why_expired(*allocation, now), now, out);
    } else {
      steps += 1 + allocations_.purge(*allocation, now.steady, most - steps);
    }
  }
  return steps;
}

}  // namespace turnpike::turn
