#include "turnpike/turn/moves.hpp"

#include <utility>

#include "request.hpp"

namespace turnpike::turn {

namespace {

// A client that is not heard on the new path by then has gone elsewhere, and the address may be another's.
constexpr Duration kMoveTimeout = std::chrono::seconds(60);

}  // namespace

Allocation* Moves::find(const Ticket& ticket) const {
  const auto found = by_ticket_.find(ticket);
  return found == by_ticket_.end() ? nullptr : found->second;
}

// On the 5-tuple of an allocation the next access token may take over. On another one nothing but a ticket,
// which others may have seen, ties the sender to the allocation: there only the token whose key the
// allocation has will do.
bool Moves::may_move(const auth::Identity& sender, const Allocation& allocation) {
  return sender.may_act_for(allocation.identity) && sender.token == allocation.identity.token;
}

void Moves::give_ticket(Allocation& allocation) {
  auto mobility = std::make_unique<Mobility>();
  mobility->ticket = Ticket::issue(params_.worker, random_);
  by_ticket_.emplace(mobility->ticket, &allocation);
  allocation.mobility = std::move(mobility);
}

// There is one move at a time. A client that moves on before a move is settled may not have heard of the new
// ticket, and shows the one before.
void Moves::begin(Allocation& allocation, const Request& request, Output& out) {
  out.reserve_for_news();
  const auto given_up = undo(allocation);
  if (given_up && *given_up != request.tuple) out.leave(*given_up);
  // Two allocations cannot be moved to one place.
  if (Allocation* other = find_arriving(request.tuple)) undo(*other);
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

// Returns where the move would have gone to, if there was one. The ticket that came with it is as if it had
// not been given out.
std::optional<FiveTuple> Moves::undo(Allocation& allocation) {
  Mobility& mobility = *allocation.mobility;
  if (!mobility.move) return std::nullopt;
  const FiveTuple to = mobility.move->to;
  by_ticket_.erase(mobility.ticket);
  mobility.ticket = mobility.move->former;
  by_destination_.erase(to);
  mobility.move.reset();
  return to;
}

void Moves::cancel(Allocation& allocation, Output& out) {
  if (const auto to = undo(allocation)) out.leave(*to);
}

// RFC 8016 §3.2.2.
Allocation* Moves::settle(const FiveTuple& tuple, const auth::Identity* sender, TimePoint now, Output& out) {
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
  allocations_.move_to(tuple, *allocation);  // the last that can fail
  by_destination_.erase(tuple);
  by_ticket_.erase(allocation->mobility->move->former);
  allocation->mobility->move.reset();
  out.leave(former);
  out.report(std::move(moved));
  return allocation;
}

void Moves::forget(Allocation& allocation, Output& out) {
  if (!allocation.mobility) return;
  cancel(allocation, out);
  by_ticket_.erase(allocation.mobility->ticket);
}

}  // namespace turnpike::turn
