#include "turnpike/turn/permissions.hpp"

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "limit_met.hpp"
#include "request.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

// A request removes at most this many expired entries, so that they no longer count. on_timeout removes the
// rest.
constexpr std::size_t kMaxPurged = 512;
// A request may name this many addresses beyond the limit of permissions, since several ports of one address
// are one permission. A request that names more is refused.
constexpr std::size_t kSpareAddresses = 256;

using Peers = boost::container::small_vector<Peer, 8>;

// One address with several ports is one permission.
void keep_one_of_each_address(Peers& peers) {
  const auto address = [](const Peer& peer) { return peer.endpoint.address; };
  std::ranges::sort(peers, {}, address);
  // clang 14 cannot compile std::ranges::unique over this container.
  const auto is_same = [&](const Peer& a, const Peer& b) { return address(a) == address(b); };
  peers.erase(std::unique(peers.begin(), peers.end(), is_same), peers.end());
}

// A client that signs with SHA-256 or names a password algorithm (without a token) implements RFC 8489, and
// therefore RFC 8656 with its smaller range of channel numbers.
bool speaks_rfc5766(const Request& request) {
  return request.authenticated->integrity == auth::Integrity::sha1;
}

void prepare_relays(const Allocation& allocation) {
  for (const Relay& relay : allocation.relays) relay.prepare();
}

bool is_full(std::size_t held, std::uint32_t limit) { return limit != 0 && held >= limit; }

}  // namespace

void Permissions::purge(Allocation& allocation, SteadyTime now) {
  counters_.expiry_steps += allocation.peers.purge(now, kMaxPurged);
}

// All peers of a request get a permission, or none (RFC 8656 §10.2).
void Permissions::on_create_permission(Request& request, Output& out) {
  Allocation& allocation = *request.allocation;
  const std::uint32_t limit = settings_.limits.permissions_per_allocation;
  Peers peers;
  Check error;
  request.message.for_each([&](const stun::Attribute& attribute) {
    if (error || attribute.type != AttributeType::xor_peer_address) return;
    if (limit != 0 && peers.size() == limit + kSpareAddresses) {
      error = ErrorCode::insufficient_capacity;
      return refuse_for(LimitKey::permissions_per_allocation, counters_, out);
    }
    if (const auto peer = access_.read_peer(request, attribute.value)) {
      peers.push_back(*peer);
    } else {
      error = peer.error();
    }
  });
  if (error) return responder_.reject(request, *error, out);
  if (peers.empty()) return responder_.reject(request, ErrorCode::bad_request, out);
  keep_one_of_each_address(peers);

  if (limit != 0) {
    purge(allocation, request.now.steady);
    std::size_t total = allocation.peers.permissions();
    for (const Peer& peer : peers) {
      if (!allocation.peers.find_permission(peer.endpoint.address, request.now.steady)) ++total;
    }
    if (total > limit) {
      refuse_for(LimitKey::permissions_per_allocation, counters_, out);
      return responder_.reject(request, ErrorCode::insufficient_capacity, out);
    }
  }
  allocations_.wake_by(allocation, request.now.steady + kPermissionLifetime);
  for (const Peer& peer : peers)
    allocation.peers.permit(peer.endpoint.address, peer.reach, request.now.steady);
  prepare_relays(allocation);
  responder_.succeed(request, out);
}

// RFC 8656 §12.2.
void Permissions::on_channel_bind(Request& request, Output& out) {
  const auto refuse = [&](ErrorCode error) { responder_.reject(request, error, out); };
  Allocation& allocation = *request.allocation;
  if (allocation.transport != RelayedTransport::udp) return refuse(ErrorCode::bad_request);
  const auto number_value = request.find(AttributeType::channel_number);
  const auto peer_value = request.find(AttributeType::xor_peer_address);
  const auto number = number_value ? stun::decode_channel_number(*number_value) : std::nullopt;
  if (!number || !peer_value) return refuse(ErrorCode::bad_request);
  if (!number->is_rfc8656() && !speaks_rfc5766(request)) return refuse(ErrorCode::bad_request);
  const auto peer = access_.read_peer(request, *peer_value);
  if (!peer) return refuse(peer.error());
  const Endpoint& endpoint = peer->endpoint;
  if (endpoint.port == 0) return refuse(ErrorCode::bad_request);
  if (access_.is_listener(endpoint)) return refuse(ErrorCode::forbidden);
  purge(allocation, request.now.steady);
  if (auto e = check_channel(request, *number, endpoint, out)) return refuse(*e);

  const RelayId relay = allocation.relay_for(endpoint.family())->id();
  allocations_.wake_by(allocation, request.now.steady + kPermissionLifetime);
  allocation.peers.bind(*number, endpoint, relay, peer->reach, request.now.steady);
  prepare_relays(allocation);
  responder_.succeed(request, out);
}

// Checks that the number is not bound to another peer, the peer not to another number, and that the limits
// are kept.
Check Permissions::check_channel(const Request& request, stun::ChannelNumber number, const Endpoint& peer,
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
  if (!bound && is_full(peers.channels(), settings_.limits.channels_per_allocation)) {
    refuse_for(LimitKey::channels_per_allocation, counters_, out);
    return ErrorCode::insufficient_capacity;
  }
  if (is_new_permission && is_full(peers.permissions(), settings_.limits.permissions_per_allocation)) {
    refuse_for(LimitKey::permissions_per_allocation, counters_, out);
    return ErrorCode::insufficient_capacity;
  }
  return std::nullopt;
}

}  // namespace turnpike::turn
