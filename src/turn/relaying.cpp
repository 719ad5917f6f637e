#include "turnpike/turn/relaying.hpp"

#include <array>

#include "turnpike/stun/unknown_attributes.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ChannelData;
using stun::Method;

namespace {

// Room for a header, XOR-PEER-ADDRESS, and either the header of DATA or ICMP.
using IndicationHead = std::array<std::uint8_t, stun::kHeaderSize + 4 + 20 + 4 + 8>;

// Longer payloads go through the kernel, which sends or refuses them depending on the family and on
// DONT-FRAGMENT. This is the MTU of the loopback interface, 65,536 octets, less the headers of IPv6 and UDP.
constexpr std::size_t kMaxBetweenRelays = 65'488;

std::uint8_t padding_of(std::size_t size) { return static_cast<std::uint8_t>(stun::padded(size) - size); }

// On a stream the size of every message is a multiple of four bytes (RFC 8656 §12.5). Over UDP, ChannelData
// is not padded.
std::uint8_t channel_padding(Transport transport, std::size_t size) {
  return is_stream(transport) ? padding_of(size) : std::uint8_t{0};
}

// Where IPv6 is on one side of a client that sends datagrams, DONT-FRAGMENT must be ignored (RFC 8656 §13).
// For a client on a stream it counts in both families (§15).
bool may_forbid_fragments(const FiveTuple& client, const Endpoint& peer) {
  return is_stream(client.transport) || (unmapped(client.client.address).is_v4() && peer.address.is_v4());
}

}  // namespace

std::optional<Relaying::Send> Relaying::read_send(const stun::MessageView& indication) const {
  const auto peer_value = indication.find(AttributeType::xor_peer_address);
  const auto payload = indication.find(AttributeType::data);
  if (!peer_value || !payload) return std::nullopt;
  const auto peer = stun::decode_xor_address(*peer_value, indication.transaction_id());
  if (!peer || !stun::unknown_required(indication, {.tokens = responder_.takes_tokens()}).empty())
    return std::nullopt;
  return Send{access_.to_local(*peer), *payload, indication.has(AttributeType::dont_fragment)};
}

void Relaying::on_channel_data(Allocation* allocation, const ChannelData& data, TimePoint now, Output& out) {
  const ChannelBinding* binding = allocation ? allocation->peers.find_channel(data.channel) : nullptr;
  if (!binding || !binding->carries_data(now.steady)) {
    ++counters_.to_peer_refused;
    return;
  }
  relay_to_peer(*allocation, binding->relay, binding->peer, binding->reach(), data.payload, false, now, out);
}

void Relaying::on_send(Allocation* allocation, const Send& send, TimePoint now, Output& out) {
  const bool by_udp = allocation && allocation->transport == RelayedTransport::udp;
  const Relay* relay = by_udp ? allocation->relay_for(send.peer.family()) : nullptr;
  const Permission* permission =
      relay ? allocation->peers.find_permission(send.peer.address, now.steady) : nullptr;
  if (!permission || send.peer.port == 0 || access_.is_listener(send.peer)) {
    ++counters_.to_peer_refused;
    return;
  }
  const bool dont_fragment = send.dont_fragment && may_forbid_fragments(allocation->tuple, send.peer);
  relay_to_peer(*allocation, relay->id(), send.peer, permission->reach, send.payload, dont_fragment, now,
                out);
}

void Relaying::relay_to_peer(Allocation& allocation, RelayId relay, const Endpoint& peer, Reach reach,
                             Bytes payload, bool dont_fragment, TimePoint now, Output& out) {
  if (!access_.may_reach(peer, reach, RelayedTransport::udp)) {
    ++counters_.to_peer_refused;
    return;
  }
  if (!shaper_.admit(allocation, Direction::from_client, payload.size(), now, out)) return;
  ++counters_.to_peer;
  counters_.to_peer_bytes += payload.size();
  breakdown_.of(allocation.tuple.transport).from_clients.count(payload.size());
  ++allocation.rx_packets;
  allocation.rx_bytes += payload.size();
  if (PeerAccess::is_own(reach) && relay_to_relay(allocation, peer, payload, now, out)) return;
  out.send_to_peer(relay, peer, payload, dont_fragment);
}

// Delivers a datagram for a relayed address of this server as if it had been sent and received again. Returns
// false when the datagram has to go through the kernel.
bool Relaying::relay_to_relay(const Allocation& allocation, const Endpoint& peer, Bytes payload,
                              TimePoint now, Output& out) {
  if (!short_way_ || payload.size() > kMaxBetweenRelays) return false;
  Allocation* const receiver = allocations_.find(peer, now.steady);
  const std::optional<std::uint16_t> worker = receiver ? std::nullopt : access_.other_worker(peer);
  if (!receiver && !worker) return false;
  const Endpoint& from = allocation.relay_for(peer.family())->local();
  if (!access_.is_live(from)) return false;  // this machine no longer has the address
  if (receiver) {
    ++counters_.relay_to_relay;
    on_peer(receiver, from, payload, now, out);
  } else {
    ++counters_.relay_to_worker;
    out.send_to_relay(*worker, peer, from, payload);
  }
  return true;
}

// RFC 8656 §11.3 and §12.7.
void Relaying::on_peer(Allocation* allocation, const Endpoint& from, Bytes payload, TimePoint now,
                       Output& out) {
  if (!allocation) return;
  const ChannelBinding* binding = allocation->peers.find_channel(from);
  const bool by_channel = binding && binding->carries_data(now.steady);
  const Permission* permission =
      by_channel ? binding->permission : allocation->peers.find_permission(from.address, now.steady);
  if (!permission || !access_.may_reach(from, permission->reach, RelayedTransport::udp)) {
    ++counters_.to_client_refused;
    return;
  }
  if (!shaper_.admit(*allocation, Direction::to_client, payload.size(), now, out)) return;

  ++counters_.to_client;
  counters_.to_client_bytes += payload.size();
  breakdown_.of(allocation->tuple.transport).to_clients.count(payload.size());
  ++allocation->tx_packets;
  allocation->tx_bytes += payload.size();
  const FiveTuple& tuple = allocation->tuple;
  if (by_channel) {
    std::array<std::uint8_t, stun::kChannelDataHeaderSize> head;
    ChannelData::write_header(binding->number, payload.size(), head.data());
    out.send_to_client(tuple, head, payload, channel_padding(tuple.transport, payload.size()));
    return;
  }
  IndicationHead head;
  stun::MessageBuilder builder(head, {Method::data, stun::Class::indication}, responder_.indication_id());
  builder.add_xor_address(AttributeType::xor_peer_address, access_.to_advertised(from));
  builder.add_data_header(payload.size());
  if (!builder.ok()) return;  // too long for a STUN message
  out.send_to_client(tuple, builder.bytes(), payload, padding_of(payload.size()));
}

// RFC 8656 §11.5. Such an indication has no DATA as a rule (§18.4), but may have it: for clients that need
// it, it is empty.
void Relaying::on_icmp(const Allocation* allocation, const Endpoint& peer, const stun::Icmp& icmp,
                       TimePoint now, Output& out) {
  if (!allocation || !allocation->peers.find_permission(peer.address, now.steady)) return;
  stun::MessageBuilder builder = responder_.begin_indication(Method::data);
  builder.add_xor_address(AttributeType::xor_peer_address, access_.to_advertised(peer));
  if (allocation->needs_data) builder.add(AttributeType::data, Bytes());
  builder.add_icmp(icmp);
  out.send_to_client(allocation->tuple, builder.bytes());
}

}  // namespace turnpike::turn
