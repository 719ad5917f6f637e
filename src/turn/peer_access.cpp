#include "turnpike/turn/peer_access.hpp"

#include "request.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

bool is_about_peer(ErrorCode error) {
  return error == ErrorCode::forbidden || error == ErrorCode::peer_address_family_mismatch ||
         error == ErrorCode::connection_already_exists || error == ErrorCode::connection_timeout_or_failure;
}

}  // namespace

Result<Peer, ErrorCode> PeerAccess::read_peer(const Request& request, Bytes value) const {
  const auto endpoint = stun::decode_xor_address(value, request.message.transaction_id());
  if (!endpoint) return ErrorCode::bad_request;
  if (!request.allocation->relay_for(endpoint->family())) return ErrorCode::peer_address_family_mismatch;
  Peer peer{.endpoint = to_local(*endpoint)};
  peer.reach = policy_->judge(peer.endpoint.address);
  if (peer.reach == Reach::denied) return ErrorCode::forbidden;
  return peer;
}

std::optional<Endpoint> PeerAccess::refused_peer(const Request& request, ErrorCode error) const {
  if (!is_about_peer(error)) return std::nullopt;
  std::optional<Endpoint> first;
  std::optional<Endpoint> refused;
  request.message.for_each([&](const stun::Attribute& attribute) {
    if (refused || attribute.type != AttributeType::xor_peer_address) return;
    const auto peer = stun::decode_xor_address(attribute.value, request.message.transaction_id());
    if (!peer) return;
    if (!first) first = *peer;
    if (!request.allocation) return;
    const auto read = read_peer(request, attribute.value);
    if (!read && read.error() == error) refused = *peer;
  });
  return refused ? refused : first;
}

std::optional<Prefix> PeerAccess::network_that_forbids(const Request& request) const {
  std::optional<Prefix> network;
  request.message.for_each([&](const stun::Attribute& attribute) {
    if (network || attribute.type != AttributeType::xor_peer_address) return;
    const auto peer = stun::decode_xor_address(attribute.value, request.message.transaction_id());
    if (peer) network = policy_->closed_network_of(to_local(*peer).address);
  });
  return network;
}

}  // namespace turnpike::turn
