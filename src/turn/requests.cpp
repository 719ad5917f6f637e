#include "turnpike/turn/requests.hpp"

#include <new>
#include <optional>

#include "request.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;
using stun::Method;

namespace {

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

Requests::Requests(const ServerParams& params, const Parts& parts)
    : responder_(parts.responder),
      moves_(parts.moves),
      tcp_connections_(parts.tcp_connections),
      lifetimes_(parts.lifetimes),
      counters_(parts.counters),
      allocator_(params, parts.settings, parts.allocations, parts.moves, parts.lifetimes, parts.reservations,
                 parts.responder, parts.counters, parts.breakdown),
      permissions_(parts.settings, parts.allocations, parts.access, parts.responder, parts.counters),
      binding_(params.nat_discoveries, parts.access, parts.responder) {}

void Requests::on_rfc3489(const FiveTuple& tuple, const stun::MessageView& message, TimePoint now,
                          Output& out) {
  ++counters_.requests;
  Request request{tuple, message, now};
  binding_.on_rfc3489(request, out);
}

void Requests::on_request(const FiveTuple& tuple, const stun::MessageView& message, TimePoint now,
                          Output& out) {
  Request request{tuple, message, now};
  if (message.method() == Method::binding) {
    ++counters_.requests;
    return binding_.on_binding(request, out);
  }
  if (!is_turn_request(message.method())) {  // RFC 8489 §6.3: an unknown method, so dropped
    ++counters_.client_unexpected;
    return;
  }
  const std::size_t before = out.to_clients().size();
  const std::size_t forwarded = out.forwards().size();
  try {
    on_turn_request(request, out);
    // A forwarded request is counted by the worker that receives it.
    if (out.forwards().size() == forwarded) ++counters_.requests;
  } catch (const std::bad_alloc&) {
    // The request was not carried out, unless only the report failed after the answer. Memory for this answer
    // is reserved.
    ++counters_.requests;
    ++counters_.out_of_memory;
    if (out.to_clients().size() == before) responder_.reject(request, ErrorCode::insufficient_capacity, out);
  }
}

void Requests::on_turn_request(Request& request, Output& out) {
  if (responder_.serves_stun_alone() || binding_.is_for_discovery_alone(request.tuple)) {
    return responder_.reject(request, ErrorCode::forbidden, out);
  }
  request.allocation = lifetimes_.find_current(request.tuple, request.now, out);
  // This identity's key is tried first. A client that began with an access token therefore needs no token in
  // later requests.
  const std::optional<auth::Identity> awaited = tcp_connections_.find_awaited(request);
  const auth::Identity* known = awaited ? &*awaited : nullptr;
  if (!known && request.message.method() != Method::allocate) {
    if (const Allocation* arriving = moves_.find_arriving(request.tuple)) known = &arriving->identity;
  }
  if (request.allocation) known = &request.allocation->identity;
  if (responder_.authenticate(request, known, out)) on_authenticated(request, out);
}

void Requests::on_authenticated(Request& request, Output& out) {
  if (responder_.reject_unknown(request, {.tokens = responder_.takes_tokens()}, out)) return;
  const Method method = request.message.method();
  if (method == Method::allocate) return allocator_.on_allocate(request, out);
  if (method == Method::connection_bind)
    return tcp_connections_.on_connection_bind(request, lifetimes_.knows(request.tuple), out);

  if (moves_.params().enabled && !request.allocation) {
    if (method == Method::refresh && request.has(AttributeType::mobility_ticket))
      return lifetimes_.on_move(request, out);
    request.allocation = moves_.complete(request.tuple, &request.sender(), request.now, out);
  }
  on_request_with_allocation(request, out);
}

void Requests::on_request_with_allocation(Request& request, Output& out) {
  if (!request.allocation)  // RFC 8656 §5
    return responder_.reject(request, ErrorCode::allocation_mismatch, out);
  if (!request.sender().may_act_for(request.allocation->identity))
    return responder_.reject(request, ErrorCode::wrong_credentials, out);
  switch (request.message.method()) {
    case Method::refresh: return lifetimes_.on_refresh(request, out);
    case Method::create_permission: return permissions_.on_create_permission(request, out);
    case Method::connect: return tcp_connections_.on_connect(request, out);
    default: return permissions_.on_channel_bind(request, out);
  }
}

}  // namespace turnpike::turn
