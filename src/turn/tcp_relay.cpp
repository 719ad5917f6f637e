// Connect and ConnectionBind (RFC 6062): TCP connections between relayed addresses and peers, and whose data
// connection each of them is joined with.
#include <algorithm>
#include <utility>

#include "request.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;
using stun::Method;

namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(30);  // RFC 6062 §5.2
constexpr Duration kBindTimeout = std::chrono::seconds(30);     // RFC 6062 §5.2 and §5.3
constexpr std::size_t kMostWaiting = 64;  // that peers began and nobody has bound: the rest is for the client
constexpr std::size_t kMostConnections = 256;  // of one allocation: each is a descriptor

// As much of a request as its answer needs.
std::vector<std::uint8_t> outline(const stun::MessageView& request) {
  std::array<std::uint8_t, 64> buffer;
  stun::MessageBuilder builder(buffer, request.type(), request.transaction_id());
  if (request.has_fingerprint()) builder.add_fingerprint();
  return {builder.bytes().begin(), builder.bytes().end()};
}

}  // namespace

// --- To a peer

// RFC 6062 §5.2. A Connect needs no permission: by asking, the client has given it.
Server::Check Server::check_connect(const Request& request, Peer& peer) const {
  const Allocation& allocation = *request.allocation;
  const auto value = request.find(AttributeType::xor_peer_address);
  if (!value || allocation.transport != RelayedTransport::tcp) return ErrorCode::bad_request;
  if (auto e = read_peer(request, *value, peer)) return e;
  if (peer.endpoint.port == 0) return ErrorCode::bad_request;
  if (!may_connect(peer)) return ErrorCode::forbidden;
  const auto is_same = [&](ConnectionId id) { return peer_connections_.at(id).peer == peer.endpoint; };
  if (std::ranges::any_of(allocation.connections, is_same)) return ErrorCode::connection_already_exists;
  if (allocation.connections.size() >= kMostConnections) return ErrorCode::insufficient_capacity;
  return std::nullopt;
}

bool Server::may_connect(const Peer& peer) const {
  if (peer.reach == Reach::denied || policy_->is_listener(peer.endpoint, RelayedTransport::tcp)) return false;
  return peer.reach == Reach::allowed || ports_.is_live(peer.endpoint, RelayedTransport::tcp);
}

void Server::on_connect(Request& request, Output& out) {
  Allocation& allocation = *request.allocation;
  Peer peer;
  if (auto e = check_connect(request, peer)) return reject(request, *e, out);
  QuotaSlot quota = take_connection(allocation, out);
  if (!quota) return reject(request, ErrorCode::insufficient_capacity, out);
  const RelayId relay = allocation.relay_for(peer.endpoint.family())->id();
  const std::optional<ConnectionId> id = connections_->connect(relay, peer.endpoint);
  if (!id) return reject(request, ErrorCode::insufficient_capacity, out);

  try {
    add_connection(*id,
                   {.allocation = &allocation,
                    .peer = peer.endpoint,
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

// An empty slot when the user, or all of them together, have as many connections with peers as they may.
QuotaSlot Server::take_connection(const Allocation& allocation, Output& out) {
  QuotaSlot slot = connection_quota_.take(allocation.identity.quota_name());
  if (slot.reached() == QuotaLimit::user) out.meet(LimitKey::peer_connections_per_user);
  if (slot.reached() == QuotaLimit::total) out.meet(LimitKey::peer_connections);
  return slot;
}

void Server::on_connected(ConnectionId id, bool connected, TimePoint now, Output& out) {
  const auto found = peer_connections_.find(id);
  if (found == peer_connections_.end() || found->second.request.empty()) return;
  PeerConnection& connection = found->second;
  answer_connect(connection, id, connected ? Check() : Check(ErrorCode::connection_timeout_or_failure), now,
                 out);
  if (!connected) {
    connections_->close(id);
    return forget_connection(id);
  }
  connection.request = {};
  connections_->offer(id, connection.allocation->identity);
  connection_deadlines_.set(id, connection.deadline, now.steady + kBindTimeout);
}

void Server::answer_connect(const PeerConnection& connection, ConnectionId id, Check failure, TimePoint now,
                            Output& out) {
  const Allocation& allocation = *connection.allocation;
  const auto message = stun::MessageView::parse(connection.request);
  Request request{allocation.tuple, *message, now};
  request.authenticated = connection.sender;
  request.had_valid_nonce = true;
  if (failure) return reject(request, *failure, out);
  stun::MessageBuilder builder = response(request, stun::Class::success);
  builder.add_u32(AttributeType::connection_id, static_cast<std::uint32_t>(id));
  finish(request, builder, out);
}

// --- From a peer

// RFC 6062 §5.3.
bool Server::on_accepted(RelayId relay, ConnectionId id, const Endpoint& from, TimePoint now, Output& out) {
  Allocation* allocation = find(relay, now);
  const Permission* permission =
      allocation ? allocation->peers.find_permission(from.address, now.steady) : nullptr;
  if (!permission) {
    ++counters_.to_client_refused;
    return false;
  }
  QuotaSlot quota;
  const bool may_come =
      waiting_connections(*allocation) < kMostWaiting &&
      (permission->reach != Reach::relays_only || ports_.is_live(from, RelayedTransport::tcp));
  if (may_come) quota = take_connection(*allocation, out);
  if (!quota) {
    ++counters_.to_client_refused;
    return false;
  }
  connections_->offer(id, allocation->identity);
  add_connection(id,
                 {.allocation = allocation,
                  .peer = from,
                  .deadline = {},
                  .waits = true,
                  .request = {},
                  .sender = {},
                  .quota = std::move(quota)},
                 now.steady + kBindTimeout);

  stun::MessageBuilder builder(scratch_, {Method::connection_attempt, stun::Class::indication},
                               indication_id());
  builder.add_xor_address(AttributeType::xor_peer_address, {ports_.to_advertised(from.address), from.port});
  builder.add_u32(AttributeType::connection_id, static_cast<std::uint32_t>(id));
  try {
    out.send_to_client(allocation->tuple, builder.bytes());
  } catch (const std::bad_alloc&) {
    forget_connection(id);
    throw;
  }
  return true;
}

std::size_t Server::waiting_connections(const Allocation& allocation) const {
  if (allocation.connections.size() >= kMostConnections) return kMostConnections;
  return static_cast<std::size_t>(std::ranges::count_if(
      allocation.connections, [&](ConnectionId id) { return peer_connections_.at(id).waits; }));
}

// --- The client's data connection

// Whose key to try first. A client with an access token has none to send here (RFC 7635 §10), and another
// 5-tuple than its allocation's: the connection that waits for it knows its key.
std::optional<auth::Identity> Server::find_awaited(const Request& request) const {
  if (request.message.method() != Method::connection_bind || !connections_ || !credentials_.takes_tokens())
    return std::nullopt;
  const auto value = request.find(AttributeType::connection_id);
  const auto id = value ? stun::decode_connection_id(*value) : std::nullopt;
  return id ? connections_->awaited_by(ConnectionId{*id}) : std::nullopt;
}

// RFC 6062 §5.4. Which connection is meant another worker may know: this one has only the client.
void Server::on_connection_bind(Request& request, Output& out) {
  const auto value = request.find(AttributeType::connection_id);
  const auto id = value ? stun::decode_connection_id(*value) : std::nullopt;
  const bool possible = connections_ && id && !knows(request.tuple) && is_stream(request.tuple.transport);
  if (!possible || !connections_->bind(ConnectionId{*id}, request.authenticated->identity, request.tuple)) {
    return reject(request, ErrorCode::bad_request, out);
  }
  stun::MessageBuilder builder = response(request, stun::Class::success);
  builder.add_u32(AttributeType::connection_id, *id);
  finish(request, builder, out);
}

// --- The books

// Either all of it is done or nothing.
void Server::add_connection(ConnectionId id, PeerConnection connection, SteadyTime deadline) {
  std::vector<ConnectionId>& of_allocation = connection.allocation->connections;
  of_allocation.push_back(id);
  try {
    PeerConnection& added = peer_connections_.insert_or_assign(id, std::move(connection)).first->second;
    connection_deadlines_.set(id, added.deadline, deadline);
  } catch (...) {
    of_allocation.pop_back();
    peer_connections_.erase(id);
    throw;
  }
}

void Server::on_peer_closed(ConnectionId id) { forget_connection(id); }

void Server::forget_connection(ConnectionId id) {
  const auto found = peer_connections_.find(id);
  if (found == peer_connections_.end()) return;
  connection_deadlines_.clear(id, found->second.deadline);
  std::erase(found->second.allocation->connections, id);
  peer_connections_.erase(found);
}

void Server::close_connections(Allocation& allocation, std::optional<Family> family) {
  for (std::size_t i = allocation.connections.size(); i-- > 0;) {
    const ConnectionId id = allocation.connections[i];
    if (family && peer_connections_.at(id).peer.family() != *family) continue;
    connections_->close(id);
    forget_connection(id);
  }
}

// Those with peers that the policy does not allow any more; a Connect that waits is refused.
void Server::close_forbidden_connections(Allocation& allocation, TimePoint now, Output& out) {
  const std::vector<ConnectionId> all = allocation.connections;
  for (const ConnectionId id : all) {
    const PeerConnection& connection = peer_connections_.at(id);
    if (may_connect({connection.peer, policy_->judge(connection.peer.address)})) continue;
    if (!connection.request.empty()) answer_connect(connection, id, ErrorCode::forbidden, now, out);
    connections_->close(id);
    forget_connection(id);
  }
}

// Nobody answered, or nobody came for it in time. One that was bound waits for nothing any more. How many
// there were, `most` at most.
std::size_t Server::expire_connections(TimePoint now, std::size_t most, Output& out) {
  std::size_t expired = 0;
  for (; expired < most && connection_deadlines_.next() <= now.steady; ++expired) {
    const ConnectionId id = connection_deadlines_.first();
    PeerConnection& connection = peer_connections_.at(id);
    if (!connection.request.empty()) {
      answer_connect(connection, id, ErrorCode::connection_timeout_or_failure, now, out);
      connections_->close(id);
      forget_connection(id);
    } else if (connections_->close_unbound(id)) {
      forget_connection(id);
    } else {
      connection_deadlines_.clear(id, connection.deadline);
      connection.waits = false;
    }
  }
  return expired;
}

}  // namespace turnpike::turn
