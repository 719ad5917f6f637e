// Connect and ConnectionBind (RFC 6062): TCP connections between relayed addresses and peers, and the
// client's data connection that each of them is joined with.
#include "turnpike/turn/tcp_connections.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "limit_met.hpp"
#include "request.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;
using stun::Method;

namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(30);  // RFC 6062 §5.2
constexpr Duration kBindTimeout = std::chrono::seconds(30);     // RFC 6062 §5.2 and §5.3
// One allocation has at most this many connections that peers have opened and no client has bound. The rest
// of kMaxConnections stays free for the connections that the client opens.
constexpr std::size_t kMaxWaiting = 64;
// The limit for one allocation, since each connection needs a descriptor.
constexpr std::size_t kMaxConnections = 256;

// Copies the part of a request that its answer needs.
std::vector<std::uint8_t> outline(const stun::MessageView& request) {
  std::array<std::uint8_t, 64> buffer;
  stun::MessageBuilder builder(buffer, request.type(), request.transaction_id());
  if (request.has_fingerprint()) builder.add_fingerprint();
  return {builder.bytes().begin(), builder.bytes().end()};
}

}  // namespace

// --- Connections that the client asks for

// RFC 6062 §5.2. A Connect needs no permission: the client asks for this peer itself.
void TcpConnections::on_connect(Request& request, Output& out) {
  Allocation& allocation = *request.allocation;
  const auto value = request.find(AttributeType::xor_peer_address);
  if (!value || allocation.transport != RelayedTransport::tcp)
    return responder_.reject(request, ErrorCode::bad_request, out);
  const auto peer = access_.read_peer(request, *value);
  if (!peer) return responder_.reject(request, peer.error(), out);
  if (is_being_answered(request, *peer)) return;
  if (auto e = check_connect(request, *peer)) return responder_.reject(request, *e, out);
  QuotaSlot quota = take_quota_slot(allocation, out);
  if (!quota) return responder_.reject(request, ErrorCode::insufficient_capacity, out);
  const RelayId relay = allocation.relay_for(peer->endpoint.family())->id();
  const std::optional<ConnectionId> id = connections_->connect(relay, peer->endpoint);
  if (!id) return responder_.reject(request, ErrorCode::insufficient_capacity, out);

  try {
    add(*id,
        {.allocation = &allocation,
         .peer = peer->endpoint,
         .deadline = {},
         .request = outline(request.message),
         .sender = *request.authenticated,
         .quota = std::move(quota)},
        request.now.steady + kConnectTimeout);
  } catch (...) {
    connections_->close(*id);
    throw;
  }
}

// Whether the request has come before and waits for its peer. A stream loses nothing, but Pion's client sends
// a request again after 200 ms, whatever the transport, and takes the first answer: not 446 for the second
// one.
bool TcpConnections::is_being_answered(const Request& request, const Peer& peer) const {
  return std::ranges::any_of(request.allocation->connections, [&](ConnectionId id) {
    const Connection& connection = by_id_.at(id);
    const auto waiting = stun::MessageView::parse(connection.request);
    return waiting && waiting->transaction_id() == request.message.transaction_id() &&
           connection.peer == peer.endpoint;
  });
}

Check TcpConnections::check_connect(const Request& request, const Peer& peer) const {
  const Allocation& allocation = *request.allocation;
  if (peer.endpoint.port == 0) return ErrorCode::bad_request;
  if (!may_connect(peer)) return ErrorCode::forbidden;
  const auto is_same = [&](ConnectionId id) { return by_id_.at(id).peer == peer.endpoint; };
  if (std::ranges::any_of(allocation.connections, is_same)) return ErrorCode::connection_already_exists;
  if (allocation.connections.size() >= kMaxConnections) return ErrorCode::insufficient_capacity;
  return std::nullopt;
}

bool TcpConnections::may_connect(const Peer& peer) const {
  return !access_.is_listener(peer.endpoint, RelayedTransport::tcp) &&
         access_.may_reach(peer.endpoint, peer.reach, RelayedTransport::tcp);
}

// Returns an empty slot when the user, or all users together, have reached the limit of connections with
// peers.
QuotaSlot TcpConnections::take_quota_slot(const Allocation& allocation, Output& out) {
  QuotaSlot slot = quota_.take(allocation.identity.quota_name());
  if (slot.reached() == QuotaLimit::user) refuse_for(LimitKey::peer_connections_per_user, counters_, out);
  if (slot.reached() == QuotaLimit::total) refuse_for(LimitKey::peer_connections, counters_, out);
  return slot;
}

void TcpConnections::on_connected(ConnectionId id, bool connected, TimePoint now, Output& out) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || found->second.request.empty()) return;
  Connection& connection = found->second;
  // The connection is offered before the client is told of it: if the offer failed, the client could not bind
  // it.
  const Check failure = connected ? offer(id, connection) : ErrorCode::connection_timeout_or_failure;
  answer_connect(connection, id, failure, now, out);
  if (failure) {
    connections_->close(id);
    return forget(id);
  }
  connection.request = {};
  deadlines_.set(id, connection.deadline, now.steady + kBindTimeout);
}

Check TcpConnections::offer(ConnectionId id, const Connection& connection) {
  Allocation& allocation = *connection.allocation;
  try {
    connections_->offer(id, allocation.identity,
                        {allocation.share_budgets(), allocation.quota.share_budgets()});
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    ++counters_.out_of_memory;
    return ErrorCode::insufficient_capacity;
  }
}

void TcpConnections::answer_connect(const Connection& connection, ConnectionId id, Check failure,
                                    TimePoint now, Output& out) {
  const auto message = stun::MessageView::parse(connection.request);
  Request request{connection.allocation->tuple, *message, now};
  request.authenticated = connection.sender;
  request.had_valid_nonce = true;
  request.peer = access_.to_advertised(connection.peer);
  if (failure) return responder_.reject(request, *failure, out);
  stun::MessageBuilder builder = responder_.begin(request, stun::Class::success);
  builder.add_u32(AttributeType::connection_id, static_cast<std::uint32_t>(id));
  responder_.finish(request, builder, out);
}

// --- Connections that peers begin

// RFC 6062 §5.3.
bool TcpConnections::on_accepted(Allocation* allocation, ConnectionId id, const Endpoint& from, TimePoint now,
                                 Output& out) {
  const Permission* permission =
      allocation ? allocation->peers.find_permission(from.address, now.steady) : nullptr;
  QuotaSlot quota;
  if (permission && waiting(*allocation) >= kMaxWaiting) note_bound(*allocation);
  const bool may_come = permission && waiting(*allocation) < kMaxWaiting &&
                        access_.may_reach(from, permission->reach, RelayedTransport::tcp);
  if (may_come) quota = take_quota_slot(*allocation, out);
  if (!may_come || !quota) {
    ++counters_.to_client_refused;
    return false;
  }
  connections_->offer(id, allocation->identity,
                      {allocation->share_budgets(), allocation->quota.share_budgets()});
  add(id,
      {.allocation = allocation,
       .peer = from,
       .deadline = {},
       .waits = true,
       .request = {},
       .sender = {},
       .quota = std::move(quota)},
      now.steady + kBindTimeout);

  stun::MessageBuilder builder = responder_.begin_indication(Method::connection_attempt);
  builder.add_xor_address(AttributeType::xor_peer_address, access_.to_advertised(from));
  builder.add_u32(AttributeType::connection_id, static_cast<std::uint32_t>(id));
  try {
    out.send_to_client(allocation->tuple, builder.bytes());
  } catch (const std::bad_alloc&) {
    forget(id);
    throw;
  }
  return true;
}

std::size_t TcpConnections::waiting(const Allocation& allocation) const {
  if (allocation.connections.size() >= kMaxConnections) return kMaxConnections;
  return static_cast<std::size_t>(
      std::ranges::count_if(allocation.connections, [&](ConnectionId id) { return by_id_.at(id).waits; }));
}

// A ConnectionBind may reach any worker, so only the table that the workers share knows which connections are
// bound.
void TcpConnections::note_bound(const Allocation& allocation) {
  for (const ConnectionId id : allocation.connections) {
    Connection& connection = by_id_.at(id);
    connection.waits = connection.waits && connections_->is_waiting(id);
  }
}

// --- The client's data connection

// A ConnectionBind carries no access token (RFC 7635 §10), and its 5-tuple is not the one of the allocation.
// The connection that waits for the client knows the identity and its key.
std::optional<auth::Identity> TcpConnections::find_awaited(const Request& request) const {
  if (request.message.method() != Method::connection_bind || !connections_ || !responder_.takes_tokens())
    return std::nullopt;
  const auto value = request.find(AttributeType::connection_id);
  const auto id = value ? stun::decode_connection_id(*value) : std::nullopt;
  return id ? connections_->awaited_by(ConnectionId{*id}) : std::nullopt;
}

// RFC 6062 §5.4. The connection with the peer may belong to another worker; this worker has only the client's
// connection.
void TcpConnections::on_connection_bind(Request& request, bool has_allocation, Output& out) {
  const auto value = request.find(AttributeType::connection_id);
  const auto id = value ? stun::decode_connection_id(*value) : std::nullopt;
  const bool possible = connections_ && id && !has_allocation && is_stream(request.tuple.transport);
  if (!possible || !connections_->bind(ConnectionId{*id}, request.sender(), request.tuple)) {
    return responder_.reject(request, ErrorCode::bad_request, out);
  }
  stun::MessageBuilder builder = responder_.begin(request, stun::Class::success);
  builder.add_u32(AttributeType::connection_id, *id);
  responder_.finish(request, builder, out);
}

// --- The table

// Throws std::bad_alloc when there is no memory, and then has changed nothing.
void TcpConnections::add(ConnectionId id, Connection connection, SteadyTime deadline) {
  std::vector<ConnectionId>& of_allocation = connection.allocation->connections;
  of_allocation.push_back(id);
  try {
    Connection& added = by_id_.insert_or_assign(id, std::move(connection)).first->second;
    deadlines_.set(id, added.deadline, deadline);
  } catch (...) {
    of_allocation.pop_back();
    by_id_.erase(id);
    throw;
  }
}

void TcpConnections::forget(ConnectionId id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  deadlines_.clear(id, found->second.deadline);
  std::erase(found->second.allocation->connections, id);
  by_id_.erase(found);
}

void TcpConnections::close(Allocation& allocation, std::optional<Family> family) {
  for (std::size_t i = allocation.connections.size(); i-- > 0;) {
    const ConnectionId id = allocation.connections[i];
    if (family && by_id_.at(id).peer.family() != *family) continue;
    connections_->close(id);
    forget(id);
  }
}

void TcpConnections::close_forbidden(Allocation& allocation, TimePoint now, Output& out) {
  const std::vector<ConnectionId> all = allocation.connections;
  for (const ConnectionId id : all) {
    const Connection& connection = by_id_.at(id);
    if (may_connect({connection.peer, access_.policy().judge(connection.peer.address)})) continue;
    if (!connection.request.empty()) answer_connect(connection, id, ErrorCode::forbidden, now, out);
    connections_->close(id);
    forget(id);
  }
}

// Ends connections that the peer has not accepted, or that no ConnectionBind has claimed, within 30 s. A
// bound connection only loses its deadline.
std::size_t TcpConnections::expire(TimePoint now, std::size_t most, Output& out) {
  std::size_t expired = 0;
  for (; expired < most && deadlines_.next() <= now.steady; ++expired) {
    const ConnectionId id = deadlines_.first();
    Connection& connection = by_id_.at(id);
    if (!connection.request.empty()) {
      answer_connect(connection, id, ErrorCode::connection_timeout_or_failure, now, out);
      connections_->close(id);
      forget(id);
    } else if (connections_->close_unbound(id)) {
      forget(id);
    } else {
      deadlines_.clear(id, connection.deadline);
      connection.waits = false;
    }
  }
  return expired;
}

}  // namespace turnpike::turn
