// The relayed path of turn::Server: ChannelData and Send indications out, what peers send back in. Nothing
// here allocates, copies a payload or takes a lock.
#include <array>

#include "known_attributes.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ChannelData;
using stun::Method;

namespace {

// Header, XOR-PEER-ADDRESS and the head of DATA, or ICMP.
using IndicationHead = std::array<std::uint8_t, stun::kHeaderSize + 4 + 20 + 4 + 8>;

// On a stream every message ends on a multiple of four bytes (RFC 8656 §12.5); over UDP ChannelData is never
// padded.
std::uint8_t channel_padding(Transport transport, std::size_t size) {
  return is_stream(transport) ? static_cast<std::uint8_t>(stun::padded(size) - size) : std::uint8_t{0};
}

}  // namespace

void Server::on_channel_data(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out) {
  const std::optional<ChannelData> data = ChannelData::parse(message);
  if (!data) {
    ++counters_.client_malformed;
    return;
  }
  const Allocation* allocation = find_or_settle(tuple, now, out);
  const ChannelBinding* binding = allocation ? allocation->peers.find_channel(data->channel) : nullptr;
  if (!binding || !binding->carries_data(now.steady)) {
    ++counters_.to_peer_refused;
    return;
  }
  relay_to_peer(binding->relay, binding->peer, binding->reach(), data->payload, false, out);
}

// RFC 8656 §11.2.
void Server::on_send(const FiveTuple& tuple, const stun::MessageView& indication, TimePoint now,
                     Output& out) {
  const auto peer_value = indication.find(AttributeType::xor_peer_address);
  const auto payload = indication.find(AttributeType::data);
  std::optional<Endpoint> peer;
  if (peer_value) peer = stun::decode_xor_address(*peer_value, indication.transaction_id());
  if (!peer || !payload || !unknown_required(indication, {.tokens = credentials_.takes_tokens()}).empty()) {
    ++counters_.client_malformed;
    return;
  }
  peer->address = ports_.to_local(peer->address);
  const Allocation* allocation = find_or_settle(tuple, now, out);
  const bool by_udp = allocation && allocation->transport == RelayedTransport::udp;
  const Relay* relay = by_udp ? allocation->relay_for(peer->family()) : nullptr;
  const Permission* permission =
      relay ? allocation->peers.find_permission(peer->address, now.steady) : nullptr;
  if (!permission || peer->port == 0 || policy_->is_listener(*peer)) {
    ++counters_.to_peer_refused;
    return;
  }
  relay_to_peer(relay->id(), *peer, permission->reach, *payload, indication.has(AttributeType::dont_fragment),
                out);
}

void Server::relay_to_peer(RelayId relay, const Endpoint& peer, Reach reach, Bytes payload,
                           bool dont_fragment, Output& out) {
  if (reach == Reach::denied ||
      (reach == Reach::relays_only && !ports_.is_live(peer, RelayedTransport::udp))) {
    ++counters_.to_peer_refused;
    return;
  }
  ++counters_.to_peer;
  counters_.to_peer_bytes += payload.size();
  out.send_to_peer(relay, peer, payload, dont_fragment);
}

// RFC 8656 §11.3 and §12.7.
void Server::on_peer(RelayId relay, const Endpoint& from, Bytes payload, TimePoint now, Output& out) {
  const Allocation* allocation = find(relay, now);
  if (!allocation) return;
  const ChannelBinding* binding = allocation->peers.find_channel(from);
  const bool by_channel = binding && binding->carries_data(now.steady);
  const Permission* permission =
      by_channel ? nullptr : allocation->peers.find_permission(from.address, now.steady);
  if (!by_channel && !permission) {
    ++counters_.to_client_refused;
    return;
  }
  const Reach reach = by_channel ? binding->reach() : permission->reach;
  if (reach == Reach::denied ||
      (reach == Reach::relays_only && !ports_.is_live(from, RelayedTransport::udp))) {
    ++counters_.to_client_refused;
    return;
  }

  ++counters_.to_client;
  counters_.to_client_bytes += payload.size();
  const FiveTuple& tuple = allocation->tuple;
  if (by_channel) {
    std::array<std::uint8_t, stun::kChannelDataHeaderSize> head;
    ChannelData::write_header(binding->number, payload.size(), head.data());
    out.send_to_client(tuple, head, payload, channel_padding(tuple.transport, payload.size()));
    return;
  }
  IndicationHead head;
  stun::MessageBuilder builder(head, {Method::data, stun::Class::indication}, indication_id());
  builder.add_xor_address(AttributeType::xor_peer_address, {ports_.to_advertised(from.address), from.port});
  builder.add_data_header(payload.size());
  if (!builder.ok()) return;  // longer than a STUN message can be
  out.send_to_client(tuple, builder.bytes(), payload,
                     static_cast<std::uint8_t>(stun::padded(payload.size()) - payload.size()));
}

// Nobody answers an indication, so its transaction id need not be a secret; but it tells nobody how busy the
// server is.
stun::TransactionId Server::indication_id() {
  stun::TransactionId id;
  for (std::size_t at = 0; at < id.size(); at += 4)
    store_u32(&id[at], static_cast<std::uint32_t>(indication_ids_()));
  return id;
}

void Server::on_icmp(RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, TimePoint now,
                     Output& out) {
  const Allocation* allocation = find(relay, now);
  if (!allocation || !allocation->peers.find_permission(peer.address, now.steady)) return;
  IndicationHead head;
  stun::MessageBuilder builder(head, {Method::data, stun::Class::indication}, indication_id());
  builder.add_xor_address(AttributeType::xor_peer_address, {ports_.to_advertised(peer.address), peer.port});
  builder.add_icmp(icmp);
  out.send_to_client(allocation->tuple, builder.bytes());
}

}  // namespace turnpike::turn
