#include "turnpike/turn/moves.hpp"

#include <utility>

#include "request.hpp"

namespace turnpike::turn {

namespace {

// When nothing arrives on the new path within this time, the client has changed to yet another path, and
// somebody else may have this address.
constexpr Duration kMoveTimeout = std::chrono::seconds(60);

}  // namespace

Allocation* Moves::find(const Ticket& ticket) const {
  const auto found = by_ticket_.find(ticket);
  return found == by_ticket_.end() ? nullptr : found->second;
}

// On the allocation's own 5-tuple, any access token of the user may take over. On another 5-tuple, only the
// ticket connects the sender with the allocation, and others may have seen the ticket. There the sender must
// use the token whose key the allocation has.
bool Moves::may_move(const auth::Identity& sender, const Allocation& allocation) {
  return sender.may_act_for(allocation.identity) && sender.token == allocation.identity.token;
}

void Moves::give_ticket(Allocation& allocation) {
  auto mobility = std::make_unique<Mobility>();
  mobility->ticket = Ticket::issue(params_.worker, random_);
  by_ticket_.emplace(mobility->ticket, &allocation);
  allocation.mobility = std::move(mobility);
}

// An allocation has one move at a time. A client that moves again before a move is completed may not have
// received the new ticket, and then presents the former one.
void Moves::begin(Allocation& allocation, const Request& request, Output& out) {
  out.reserve_for_news();
  cancel(allocation, out);
  // Two allocations cannot have one 5-tuple.
  if (Allocation* other = find_arriving(request.tuple)) cancel(*other, out);
  Mobility& mobility = *allocation.mobility;
  const Ticket next = Ticket::issue(params_.worker, random_);
  Mobility::Move move{request.tuple, request.message.transaction_id(), mobility.ticket,
                      request.now.steady + kMoveTimeout};
  by_ticket_.emplace(next, &allocation);
  try {
    by_destination_.emplace(request.tuple, &allocation);
  } catch (...) {
    by_ticket_.erase(next);
    throw;
  }
  mobility.ticket = next;
  mobility.move = move;
}

// The ticket of the move is cancelled too. Does nothing when there is no move.
void Moves::cancel(Allocation& allocation, Output& out) {
  Mobility& mobility = *allocation.mobility;
  if (!mobility.move) return;
  out.leave(mobility.move->to);
  by_ticket_.erase(mobility.ticket);
  mobility.ticket = mobility.move->former;
  by_destination_.erase(mobility.move->to);
  mobility.move.reset();
}

// Completes the move (RFC 8016 §3.2.2).
Allocation* Moves::complete(const FiveTuple& tuple, const auth::Identity* sender, TimePoint now,
                            Output& out) {
  Allocation* allocation = find_arriving(tuple);
  if (!allocation || allocation->expiry <= now.steady) return nullptr;
  if (sender && !may_move(*sender, *allocation)) return nullptr;
  if (allocation->mobility->move->expiry <= now.steady) {
    cancel(*allocation, out);
    return nullptr;
  }
  out.reserve_for_news();
  const FiveTuple former = allocation->tuple;
  Output::Lifetime moved{.kind = Output::Lifetime::Kind::moved,
                         .tuple = tuple,
                         .former = former,
                         .username = allocation->identity.username,
                         .relayed = allocation->relays.front().advertised(),
                         .number = allocation->number};
  allocations_.move_to(tuple, *allocation);  // the last step that can throw
  const std::size_t family = Breakdown::index_of(allocation->first_family);
  ++breakdown_.of(tuple.transport).arrived[family];
  ++breakdown_.of(former.transport).left[family];
  by_destination_.erase(tuple);
  by_ticket_.erase(allocation->mobility->move->former);
  allocation->mobility->move.reset();
  out.leave(former);
  out.report(std::move(moved));
  return allocation;
}

void Moves::remove(Allocation& allocation, Output& out) {
  if (!allocation.mobility) return;
  cancel(allocation, out);
  by_ticket_.erase(allocation.mobility->ticket);
}

}  // namespace turnpike::turn
