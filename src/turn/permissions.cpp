// CreatePermission and ChannelBind (RFC 8656 §10.2 and §12.2): whom an allocation may exchange data with.
#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "request.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

// What a request removes that has expired, so that it does not count any more. The rest is on_timeout's.
constexpr std::size_t kMostPurged = 512;
// Addresses that a request may name beyond the limit of permissions: ports of one address are one permission.
// Who names more asks for too much, and no more of it is looked at.
constexpr std::size_t kSpareAddresses = 256;

}  // namespace

Server::Check Server::read_peer(const Request& request, Bytes value, Peer& peer) const {
  const auto endpoint = stun::decode_xor_address(value, request.message.transaction_id());
  if (!endpoint) return ErrorCode::bad_request;
  peer.endpoint = {ports_.to_local(endpoint->address), endpoint->port};
  if (!request.allocation->relay_for(endpoint->family())) return ErrorCode::peer_address_family_mismatch;
  peer.reach = policy_->judge(peer.endpoint.address);
  if (peer.reach == Reach::denied) return ErrorCode::forbidden;
  return std::nullopt;
}

void Server::on_policy(const PeerPolicy& policy, TimePoint now, Output& out) {
  policy_ = &policy;
  for (const auto& [tuple, allocation] : allocations_) {
    allocation->peers.judge_again(policy);
    close_forbidden_connections(*allocation, now, out);
  }
}

// All of its peers or none of them.
void Server::on_create_permission(Request& request, Output& out) {
  Allocation& allocation = *request.allocation;
  const std::uint32_t limit = limits_.permissions_per_allocation;
  boost::container::small_vector<Peer, 8> peers;
  Check error;
  request.message.for_each([&](const stun::Attribute& attribute) {
    if (error || attribute.type != AttributeType::xor_peer_address) return;
    if (limit != 0 && peers.size() == limit + kSpareAddresses) {
      error = ErrorCode::insufficient_capacity;
      out.meet(LimitKey::permissions_per_allocation);
    } else {
      error = read_peer(request, attribute.value, peers.emplace_back());
    }
  });
  if (error) return reject(request, *error, out);
  if (peers.empty()) return reject(request, ErrorCode::bad_request, out);
  // One address with several ports is one permission.
  std::ranges::sort(peers, {}, [](const Peer& peer) { return peer.endpoint.address; });
  const auto same_address = [](const Peer& a, const Peer& b) {
    return a.endpoint.address == b.endpoint.address;
  };
  peers.erase(std::unique(peers.begin(), peers.end(), same_address), peers.end());

  if (limit != 0) {
    counters_.expiry_steps += allocation.peers.purge(request.now.steady, kMostPurged);
    std::size_t total = allocation.peers.permissions();
    for (const Peer& peer : peers) {
      if (!allocation.peers.find_permission(peer.endpoint.address, request.now.steady)) ++total;
    }
    if (total > limit) {
      out.meet(LimitKey::permissions_per_allocation);
      return reject(request, ErrorCode::insufficient_capacity, out);
    }
  }
  wake_by(allocation, request.now.steady + kPermissionLifetime);
  for (const Peer& peer : peers)
    allocation.peers.permit(peer.endpoint.address, peer.reach, request.now.steady);
  succeed(request, out);
}

void Server::on_channel_bind(Request& request, Output& out) {
  Allocation& allocation = *request.allocation;
  if (allocation.transport != RelayedTransport::udp) return reject(request, ErrorCode::bad_request, out);
  const auto number_value = request.find(AttributeType::channel_number);
  const auto peer_value = request.find(AttributeType::xor_peer_address);
  const auto number = number_value ? stun::decode_channel_number(*number_value) : std::nullopt;
  if (!number || !peer_value) return reject(request, ErrorCode::bad_request, out);
  if (!number->is_rfc8656() && !speaks_rfc5766(request)) return reject(request, ErrorCode::bad_request, out);
  Peer peer;
  if (auto e = read_peer(request, *peer_value, peer)) return reject(request, *e, out);
  if (peer.endpoint.port == 0) return reject(request, ErrorCode::bad_request, out);
  if (policy_->is_listener(peer.endpoint)) return reject(request, ErrorCode::forbidden, out);
  counters_.expiry_steps += allocation.peers.purge(request.now.steady, kMostPurged);
  if (auto e = check_channel(request, *number, peer.endpoint, out)) return reject(request, *e, out);

  const RelayId relay = allocation.relay_for(peer.endpoint.family())->id();
  wake_by(allocation, request.now.steady + kPermissionLifetime);
  allocation.peers.bind(*number, peer.endpoint, relay, peer.reach, request.now.steady);
  succeed(request, out);
}

// A client that signs with SHA-256 knows RFC 8489, and so the narrower range of channels that came with it.
bool Server::speaks_rfc5766(const Request& request) {
  return request.authenticated->integrity == auth::Integrity::sha1;
}

// One number, one peer, both ways; and within the limits.
Server::Check Server::check_channel(const Request& request, stun::ChannelNumber number, const Endpoint& peer,
                                    Output& out) const {
  const PeerTable& peers = request.allocation->peers;
  const auto is_bound = [&](const ChannelBinding* binding) {
    return binding && request.now.steady < binding->expiry;
  };
  const ChannelBinding* with_number = peers.find_channel(number);
  const ChannelBinding* with_peer = peers.find_channel(peer);
  const bool bound = is_bound(with_number);
  if ((bound || is_bound(with_peer)) && with_number != with_peer) return ErrorCode::bad_request;

  const bool is_new_permission = !peers.find_permission(peer.address, request.now.steady);
  const auto full = [](std::size_t held, std::uint32_t limit) { return limit != 0 && held >= limit; };
  if (!bound && full(peers.channels(), limits_.channels_per_allocation)) {
    out.meet(LimitKey::channels_per_allocation);
    return ErrorCode::insufficient_capacity;
  }
  if (is_new_permission && full(peers.permissions(), limits_.permissions_per_allocation)) {
    out.meet(LimitKey::permissions_per_allocation);
    return ErrorCode::insufficient_capacity;
  }
  return std::nullopt;
}

}  // namespace turnpike::turn
