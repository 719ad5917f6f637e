// Refresh with MOBILITY-TICKET (RFC 8016 §3.2): an allocation moves to the 5-tuple that its client has now.
#include <utility>

#include "request.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

// Who is not heard from by then has gone elsewhere, and the address may be another's.
constexpr Duration kMoveTimeout = std::chrono::seconds(60);

// On the 5-tuple of an allocation the next access token may take over. On another one nothing but a ticket,
// which others may have seen, ties the sender to the allocation: there only the token whose key the
// allocation has will do.
bool may_move(const auth::Identity& sender, const Allocation& allocation) {
  return sender.may_act_for(allocation.identity) && sender.token == allocation.identity.token;
}

}  // namespace

void Server::give_ticket(Allocation& allocation) {
  auto mobility = std::make_unique<Mobility>();
  mobility->ticket = Ticket::issue(mobile_.worker, random_);
  by_ticket_.emplace(mobility->ticket, &allocation);
  allocation.mobility = std::move(mobility);
}

Server::Check Server::check_ticket(const Request& request, const Ticket& ticket) const {
  const auto found = by_ticket_.find(ticket);
  if (found == by_ticket_.end() || found->second->expiry <= request.now.steady) return ErrorCode::bad_request;
  if (!may_move(request.authenticated->identity, *found->second)) return ErrorCode::wrong_credentials;
  const auto lifetime = request.find(AttributeType::lifetime);
  if (lifetime && !stun::decode_lifetime(*lifetime)) return ErrorCode::bad_request;
  return std::nullopt;
}

void Server::on_move(Request& request, Output& out) {
  const auto ticket = Ticket::from_wire(*request.find(AttributeType::mobility_ticket));
  if (!ticket || ticket->worker() >= mobile_.workers) return reject(request, ErrorCode::bad_request, out);
  if (ticket->worker() != mobile_.worker) {
    return out.forward(ticket->worker(), request.tuple, request.message.bytes());
  }
  if (auto e = check_ticket(request, *ticket)) return reject(request, *e, out);
  Allocation& allocation = *by_ticket_.at(*ticket);
  const auto value = request.find(AttributeType::lifetime);
  const bool gives_up = value && stun::decode_lifetime(*value)->count() == 0;
  if (!gives_up && asks_for_token(request, out)) return;
  stun::MessageBuilder builder = response(request, stun::Class::success);
  if (gives_up) {
    builder.add_lifetime(std::chrono::seconds::zero());
    remove(allocation, out);
  } else {
    const auto& move = allocation.mobility->move;
    const bool again =
        move && move->to == request.tuple && move->transaction_id == request.message.transaction_id();
    if (!again) begin_move(allocation, request, out);
    // The same key, with the expiry that a new token may have given it.
    if (request.authenticated->identity.is_token()) allocation.identity = request.authenticated->identity;
    const std::chrono::seconds lifetime = granted_lifetime(request, allocation);
    set_expiry(allocation, request.now.steady + lifetime);
    wake_by(allocation, allocation.expiry);
    builder.add_lifetime(lifetime);
    builder.add(AttributeType::mobility_ticket, allocation.mobility->ticket.bytes());
  }
  finish(request, builder, out);
}

// One at a time. Whoever moves on before a move is settled may not have heard of the new ticket, and shows
// the one before.
void Server::begin_move(Allocation& allocation, const Request& request, Output& out) {
  out.reserve_for_news();
  const auto given_up = undo_move(allocation);
  if (given_up && *given_up != request.tuple) out.leave(*given_up);
  // Two allocations cannot be moved to one place.
  if (const auto other = moves_.find(request.tuple); other != moves_.end()) undo_move(*other->second);
  Mobility& mobility = *allocation.mobility;
  const Ticket next = Ticket::issue(mobile_.worker, random_);
  Mobility::Move move{request.tuple, request.message.transaction_id(), mobility.ticket,
                      request.now.steady + kMoveTimeout};
  by_ticket_.emplace(next, &allocation);
  try {
    moves_.emplace(request.tuple, &allocation);
  } catch (...) {
    by_ticket_.erase(next);
    throw;
  }
  mobility.ticket = next;
  mobility.move = move;
}

// Where to it was, if there was one. The ticket that came with it is as if it had not been given out.
std::optional<FiveTuple> Server::undo_move(Allocation& allocation) {
  Mobility& mobility = *allocation.mobility;
  if (!mobility.move) return std::nullopt;
  const FiveTuple to = mobility.move->to;
  by_ticket_.erase(mobility.ticket);
  mobility.ticket = mobility.move->former;
  moves_.erase(to);
  mobility.move.reset();
  return to;
}

void Server::cancel_move(Allocation& allocation, Output& out) {
  if (const auto to = undo_move(allocation)) out.leave(*to);
}

// Who is about to move to this 5-tuple: whoever came with an access token needs none for what follows. Null
// when nobody is.
const auth::Identity* Server::find_arriving(const Request& request) const {
  const auto found = moves_.find(request.tuple);
  if (found == moves_.end() || request.message.method() == stun::Method::allocate) return nullptr;
  return &found->second->identity;
}

// RFC 8016 §3.2.2: the client has been heard on the new path.
Allocation* Server::settle_move(const FiveTuple& tuple, const auth::Identity* sender, TimePoint now,
                                Output& out) {
  const auto found = moves_.find(tuple);
  if (found == moves_.end()) return nullptr;
  Allocation& allocation = *found->second;
  if (allocation.expiry <= now.steady) return nullptr;
  if (sender && !may_move(*sender, allocation)) return nullptr;
  if (allocation.mobility->move->expiry <= now.steady) {
    cancel_move(allocation, out);
    return nullptr;
  }
  out.reserve_for_news();
  Output::Event moved{.kind = Output::Event::Kind::allocation_moved,
                      .tuple = tuple,
                      .username = allocation.identity.username,
                      .relayed = allocation.relays.front().advertised(),
                      .former = allocation.tuple};
  std::unique_ptr<Allocation>& place = allocations_[tuple];  // the last that can fail
  moves_.erase(found);
  by_ticket_.erase(allocation.mobility->move->former);
  allocation.mobility->move.reset();

  const auto old = allocations_.find(allocation.tuple);
  place = std::move(old->second);
  allocations_.erase(old);
  out.leave(allocation.tuple);
  allocation.tuple = tuple;
  out.tell(std::move(moved));
  return &allocation;
}

void Server::forget_mobility(Allocation& allocation, Output& out) {
  if (!allocation.mobility) return;
  cancel_move(allocation, out);
  by_ticket_.erase(allocation.mobility->ticket);
}

}  // namespace turnpike::turn
