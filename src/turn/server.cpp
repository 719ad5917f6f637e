#include "turnpike/turn/server.hpp"

#include <algorithm>
#include <boost/container/static_vector.hpp>
#include <new>
#include <utility>

#include "request.hpp"

namespace turnpike::turn {

using stun::ChannelData;
using stun::Class;
using stun::ErrorCode;
using stun::Method;

Server::Server(const Params& params) : Server(params, crypto::draw_hash_key(params.random)) {}

Server::Server(const ServerParams& params, const HashKey& key)
    : settings_(params.settings),
      access_(*params.settings.policy, params.ports),
      responder_(params, settings_, access_, counters_, breakdown_),
      allocations_(key),
      moves_(params.mobile, allocations_, params.random, key, breakdown_),
      tcp_connections_(params.connections, params.connection_quota, access_, responder_, counters_),
      lifetimes_(settings_, allocations_, moves_, tcp_connections_, responder_, counters_, breakdown_),
      reservations_(params.ports),
      relaying_(params, settings_, access_, allocations_, responder_, counters_, breakdown_),
      requests_(params, {settings_, access_, responder_, allocations_, moves_, tcp_connections_, lifetimes_,
                         reservations_, counters_, breakdown_}) {}

// --- Clients

void Server::on_client(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out) {
  if (!settings_.admits(tuple.client.address)) {
    ++counters_.client_denied;
    return reject_client(tuple, message, now, out);
  }
  if (stun::looks_like_channel_data(message)) return on_channel_data(tuple, message, now, out);
  const auto parsed = stun::MessageView::parse(message);
  if (!parsed) return on_foreign(tuple, message, parsed.error(), now, out);
  if (parsed->message_class() == Class::request) return requests_.on_request(tuple, *parsed, now, out);
  if (parsed->type() == stun::MessageType{Method::send, Class::indication})
    return on_send(tuple, *parsed, now, out);
  // A Binding indication is a keepalive and has no answer (RFC 8489 §6.3.2).
  if (parsed->type() != stun::MessageType{Method::binding, Class::indication}) ++counters_.client_unexpected;
}

// What is no message of RFC 8489 is dropped, unless it is a Binding request of RFC 3489 and these are
// answered.
void Server::on_foreign(const FiveTuple& tuple, Bytes message, stun::ParseError error, TimePoint now,
                        Output& out) {
  if (settings_.rfc3489 && error == stun::ParseError::bad_magic_cookie) {
    if (const auto parsed = stun::MessageView::parse_rfc3489(message))
      return requests_.on_rfc3489(tuple, *parsed, now, out);
  }
  ++counters_.client_malformed;
}

// A client whose address is denied gets the answer 403 to its requests, within the limit for unauthenticated
// answers. Everything else from it is dropped.
void Server::reject_client(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out) {
  if (stun::looks_like_channel_data(message)) return;
  const auto parsed = stun::MessageView::parse(message);
  if (!parsed || parsed->message_class() != Class::request) return;
  responder_.reject(Request{tuple, *parsed, now}, ErrorCode::forbidden, out);
}

void Server::on_client_closed(const FiveTuple& tuple, TimePoint now, Output& out) {
  if (Allocation* allocation = allocations_.find(tuple)) {
    if (!allocation->mobility) lifetimes_.remove(*allocation, EndReason::connection_closed, now, out);
  } else if (Allocation* arriving = moves_.find_arriving(tuple)) {
    moves_.cancel(*arriving, out);
  }
}

void Server::on_channel_data(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out) {
  const std::optional<ChannelData> data = ChannelData::parse(message);
  if (!data) {
    ++counters_.client_malformed;
    return;
  }
  relaying_.on_channel_data(lifetimes_.find_or_complete_move(tuple, now, out), *data, now, out);
}

void Server::on_send(const FiveTuple& tuple, const stun::MessageView& indication, TimePoint now,
                     Output& out) {
  const std::optional<Relaying::Send> send = relaying_.read_send(indication);
  if (!send) {
    ++counters_.client_malformed;
    return;
  }
  relaying_.on_send(lifetimes_.find_or_complete_move(tuple, now, out), *send, now, out);
}

// --- Peers

void Server::on_peer(RelayId relay, const Endpoint& from, Bytes payload, TimePoint now, Output& out) {
  relaying_.on_peer(allocations_.find(relay, now.steady), from, payload, now, out);
}

void Server::on_relayed(const Endpoint& relayed, const Endpoint& from, Bytes payload, TimePoint now,
                        Output& out) {
  relaying_.on_peer(allocations_.find(relayed, now.steady), from, payload, now, out);
}

void Server::on_icmp(RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, TimePoint now,
                     Output& out) {
  relaying_.on_icmp(allocations_.find(relay, now.steady), peer, icmp, now, out);
}

void Server::on_connected(ConnectionId id, bool connected, TimePoint now, Output& out) {
  tcp_connections_.on_connected(id, connected, now, out);
}

bool Server::on_accepted(RelayId relay, ConnectionId id, const Endpoint& from, TimePoint now, Output& out) {
  return tcp_connections_.on_accepted(allocations_.find(relay, now.steady), id, from, now, out);
}

void Server::on_peer_closed(ConnectionId id) { tcp_connections_.on_peer_closed(id); }

namespace {

// Returns whether the user of an allocation is still configured with the same password, or its TURN REST name
// has not been revoked. Access tokens expire by themselves.
bool is_known(const auth::Identity& identity, const auth::CredentialStore& credentials) {
  if (identity.is_token()) return true;
  if (identity.expires) {
    const auto rest = auth::parse_rest_name(identity.username);
    return !rest || !credentials.refuses(*rest);
  }
  const auth::User* const user = credentials.find(identity.username);
  const auto key = user ? user->key(identity.key.algorithm) : std::nullopt;
  return key && std::ranges::equal(key->bytes(), identity.key.bytes());
}

// Returns why an allocation must end under the new settings, or nothing when it may stay.
std::optional<EndReason> why_forbidden(const Allocation& allocation, const Settings& former,
                                       const Settings& settings) {
  const bool changes_users = settings.credentials != former.credentials;
  if (changes_users && !is_known(allocation.identity, *settings.credentials)) return EndReason::user_changed;
  if (!settings.admits(allocation.tuple.client.address)) return EndReason::client_denied;
  return std::nullopt;
}

}  // namespace

void Server::on_settings(const Settings& settings, TimePoint now, Output& out) {
  // The new settings are taken first, since this cannot fail: the caller deletes the former ones afterwards.
  const Settings former = std::exchange(settings_, settings);
  access_.use(*settings_.policy);
  if (settings_.nonce_lifetime != former.nonce_lifetime) responder_.renew_nonces();
  try {
    end_forbidden(former, now, out);
  } catch (const std::bad_alloc&) {
    ++counters_.out_of_memory;
  }
  lifetimes_.follow_settings(now);
  on_policy(*settings_.policy, now, out);
}

// Ends the allocations in groups whose list fits on the stack, since a list of all would need memory. When
// there is no memory to end them, the remaining ones stay.
void Server::end_forbidden(const Settings& former, TimePoint now, Output& out) {
  boost::container::static_vector<std::pair<Allocation*, EndReason>, 1024> ended;
  do {
    ended.clear();
    allocations_.for_each([&](Allocation& allocation) {
      const auto reason = why_forbidden(allocation, former, settings_);
      if (reason && ended.size() < ended.capacity()) ended.emplace_back(&allocation, *reason);
    });
    for (const auto& [allocation, reason] : ended) lifetimes_.remove(*allocation, reason, now, out);
  } while (ended.size() == ended.capacity());
}

std::vector<AllocationInfo> Server::list_allocations(TimePoint now, const Settings* ended_by) const {
  std::vector<AllocationInfo> list;
  if (!ended_by) list.reserve(allocations_.size());
  allocations_.for_each([&](const Allocation& allocation) {
    if (allocation.expiry <= now.steady) return;
    const bool goes_on = ended_by && !why_forbidden(allocation, settings_, *ended_by) &&
                         Lifetimes::latest_end_of(allocation, *ended_by, now) > now.steady;
    if (goes_on) return;
    AllocationInfo& info = list.emplace_back();
    info.number = allocation.number;
    info.username = allocation.identity.username;
    info.tuple = allocation.tuple;
    for (const Relay& relay : allocation.relays) info.relayed.push_back(relay.advertised());
    info.permissions = static_cast<std::uint32_t>(allocation.peers.permissions());
    info.channels = static_cast<std::uint32_t>(allocation.peers.channels());
    info.connections = static_cast<std::uint32_t>(allocation.connections.size());
    info.age = std::chrono::duration_cast<std::chrono::seconds>(now.steady - allocation.created);
    info.expires_in = std::chrono::duration_cast<std::chrono::seconds>(allocation.expiry - now.steady);
    info.rx_packets = allocation.rx_packets;
    info.rx_bytes = allocation.bytes(Direction::from_client);
    info.tx_packets = allocation.tx_packets;
    info.tx_bytes = allocation.bytes(Direction::to_client);
    info.dropped_packets = allocation.dropped_packets;
  });
  return list;
}

bool Server::end_allocation(std::uint64_t number, TimePoint now, Output& out) {
  Allocation* found = nullptr;
  allocations_.for_each([&](Allocation& allocation) {
    if (allocation.number == number && now.steady < allocation.expiry) found = &allocation;
  });
  if (!found) return false;
  lifetimes_.remove(*found, EndReason::killed, now, out);
  return true;
}

void Server::end_all(TimePoint now, Output& out) {
  std::vector<Allocation*> all;
  all.reserve(allocations_.size());
  allocations_.for_each([&](Allocation& allocation) { all.push_back(&allocation); });
  for (Allocation* const allocation : all) lifetimes_.remove(*allocation, EndReason::stopped, now, out);
}

void Server::on_policy(const PeerPolicy& policy, TimePoint now, Output& out) {
  settings_.policy = &policy;
  access_.use(policy);
  allocations_.for_each([&](Allocation& allocation) {
    allocation.peers.judge_again(policy);
    tcp_connections_.close_forbidden(allocation, now, out);
  });
}

// --- Time

SteadyTime Server::next_deadline() const {
  return std::min(
      {allocations_.next_deadline(), reservations_.next_deadline(), tcp_connections_.next_deadline()});
}

// Works in steps of about half a microsecond. One call takes little more than a millisecond, however many
// entries have expired.
void Server::on_timeout(TimePoint now, Output& out) {
  constexpr std::size_t kMaxSteps = 2048;
  constexpr std::size_t kStepsToClose = Lifetimes::kStepsToClose;
  std::size_t steps = kStepsToClose * reservations_.expire(now.steady, kMaxSteps / kStepsToClose);
  const auto left = [&] { return kMaxSteps - std::min(steps, kMaxSteps); };
  steps += kStepsToClose * tcp_connections_.expire(now, left() / kStepsToClose, out);
  steps += lifetimes_.expire(now, left(), out);
  steps += allocations_.free_discarded(left());
  counters_.expiry_steps += steps;
}

}  // namespace turnpike::turn
