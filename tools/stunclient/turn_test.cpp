#include "stunclient/turn_test.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::stunclient {
namespace {

// Each path has a number of its own, since a channel number is bound to its first peer (RFC 8656 §12.2).
constexpr stun::ChannelNumber kRelayChannel = *stun::ChannelNumber::from_wire(0x4000);
constexpr stun::ChannelNumber kHostChannel = *stun::ChannelNumber::from_wire(0x4001);
// The number of attempts, because relayed datagrams may get lost. The first attempt waits as long as a
// request.
constexpr int kRelayTries = 3;

Step step_of(const Result<Answer, Problem>& answer) {
  if (!answer) return {{}, answer.error()};
  return {answer->time, std::nullopt};
}

bool is(const Problem& problem, stun::ErrorCode code) {
  return problem.code == static_cast<std::uint16_t>(code);
}

Step permit(Client& client, const Endpoint& peer) {
  Step step = step_of(client.ask(client.turn().create_permission({&peer, 1})));
  if (step.problem && is(*step.problem, stun::ErrorCode::forbidden))
    step.problem = peer_denied(std::move(*step.problem), peer);
  return step;
}

Step release_one(Client& client) {
  return step_of(client.ask(client.turn().refresh(std::chrono::seconds(0))));
}

// Receives until `is_it` returns true. Returns false after the timeout.
template <class Predicate>
bool receive_until(Client& client, milliseconds wait, Predicate&& is_it) {
  const Clock::time_point deadline = Clock::now() + wait;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    const auto datagram = client.receive(std::max(milliseconds(0), left));
    if (!datagram) return false;
    if (is_it(*datagram)) return true;
  }
}

Problem not_relayed(std::string_view what, std::string_view where) {
  return {ProblemKind::not_relayed, 0, std::string(what) + " did not arrive at " + std::string(where),
          "they were lost behind the server: a firewall may drop UDP at its relay ports, its configured "
          "public address may be wrong, or its policy may exclude this peer"};
}

}  // namespace

TurnTest::TurnTest(Client& client, Client& peer, crypto::Random& random, milliseconds patience)
    : client_(client), peer_(peer), random_(random), patience_(patience) {}

TurnReport TurnTest::run(std::vector<std::string>& notes) {
  report_.allocation = allocate(client_, report_.relayed);
  report_.realm = client_.turn().realm();
  if (!report_.allocation.ok()) return report_;
  find_path(notes);
  report_.release = release();
  return report_;
}

Step TurnTest::allocate(Client& client, std::optional<Endpoint>& relayed) {
  const auto answer = ask_for_allocation(client);
  Step step = step_of(answer);
  if (!answer) return step;
  relayed = answer->success.relayed;
  if (!report_.lifetime) report_.lifetime = answer->success.lifetime;
  if (!relayed) step.problem = bad_answer("relayed address");
  return step;
}

// Without REQUESTED-ADDRESS-FAMILY the relayed address is IPv4 (RFC 8656 §7.1). If the server is reached by
// IPv6, then the peer's reflexive address is IPv6 and needs an IPv6 relayed address.
Result<Answer, Problem> TurnTest::ask_for_allocation(Client& client) {
  if (client.server().address.is_v4()) return client.ask(client.turn().allocate());
  auto answer = client.ask(client.turn().request({.method = stun::Method::allocate,
                                                  .requested_transport = stun::kProtocolUdp,
                                                  .requested_family = Family::ipv6}));
  if (answer || !is(answer.error(), stun::ErrorCode::address_family_not_supported)) return answer;
  return client.ask(client.turn().allocate());
}

void TurnTest::find_path(std::vector<std::string>& notes) {
  report_.path = relay_to_relay();
  // A host peer needs plain UDP to the server. That it works cannot be assumed when the user tests another
  // transport.
  if (!client_.is_plain_udp()) return;
  if (report_.path->ok() || report_.relayed->family() != client_.server().family()) return;
  PathReport second = relay_to_host();
  notes.push_back(std::string(report_.path->name) + " does not work here, so " + std::string(second.name) +
                  " was tried: " + report_.path->first_problem()->summary);
  report_.path = std::move(second);
}

PathReport TurnTest::relay_to_relay() {
  PathReport path;
  path.name = "relay to relay";
  path.peer = prepare_relayed_peer(path);
  if (path.peer.ok()) walk(path);
  return path;
}

Step TurnTest::prepare_relayed_peer(PathReport& path) {
  Step step = allocate(peer_, peer_relayed_);
  if (!step.ok()) return step;
  path.peer_address = peer_relayed_;
  Step permission = permit(peer_, *report_.relayed);
  permission.time += step.time;
  return permission;
}

PathReport TurnTest::relay_to_host() {
  PathReport path;
  path.name = "relay to host";
  if (peer_relayed_) {
    release_one(peer_);
    peer_relayed_.reset();
  }
  path.peer = prepare_host_peer(path);
  if (path.peer.ok()) walk(path);
  return path;
}

Step TurnTest::prepare_host_peer(PathReport& path) {
  const auto answer = peer_.ask(peer_.turn().binding());
  Step step = step_of(answer);
  if (!answer) return step;
  path.peer_address = answer->success.mapped;
  if (!path.peer_address) step.problem = bad_answer("mapped address");
  return step;
}

// Indications are tested before the channel: after ChannelBind the server sends only ChannelData (RFC 8656
// §12).
void TurnTest::walk(PathReport& path) {
  path.permission = permit(client_, *path.peer_address);
  if (!path.permission->ok()) return;
  auto problem = make_round_trip(Framing::indication, path);
  path.channel = bind_channel(*path.peer_address);
  if (!problem && path.channel->ok()) problem = make_round_trip(Framing::channel, path);
  path.relay = Step{path.indication_round_trip.value_or(microseconds(0)) +
                        path.channel_round_trip.value_or(microseconds(0)),
                    std::move(problem)};
}

stun::ChannelNumber TurnTest::channel() const { return peer_relayed_ ? kRelayChannel : kHostChannel; }

Step TurnTest::bind_channel(const Endpoint& peer) {
  return step_of(client_.ask(client_.turn().channel_bind(channel(), peer)));
}

// The peer sends first, which opens the way back through a NAT in front of the peer.
std::optional<Problem> TurnTest::make_round_trip(Framing framing, PathReport& path) {
  const Payload there = random_payload();
  const Payload back = random_payload();
  bool reached_client = false;
  milliseconds wait = std::min(kRto, patience_);
  for (int i = 0; i < kRelayTries; ++i, wait = std::min(wait * 2, patience_)) {
    const Clock::time_point started = Clock::now();
    send_from_peer(there);
    if (!receive_at_client(there, framing, *path.peer_address, wait)) continue;
    reached_client = true;
    send_from_client(back, framing, *path.peer_address);
    if (!receive_at_peer(back, wait)) continue;
    auto& time = framing == Framing::channel ? path.channel_round_trip : path.indication_round_trip;
    time = std::chrono::duration_cast<microseconds>(Clock::now() - started);
    return std::nullopt;
  }
  const bool in_channel = framing == Framing::channel;
  if (!reached_client)
    return not_relayed(in_channel ? "ChannelData from the peer" : "a Data indication from the peer",
                       "the client");
  return not_relayed(in_channel ? "ChannelData from the client" : "a Send indication's data from the client",
                     "the peer");
}

void TurnTest::send_from_peer(Bytes payload) {
  if (!peer_relayed_) return peer_.send(payload, *report_.relayed);
  peer_.send(peer_.turn().send_indication(*report_.relayed, payload), peer_.server());
}

void TurnTest::send_from_client(Bytes payload, Framing framing, const Endpoint& peer) {
  client_.send(framing == Framing::channel
                   ? client_.turn().channel_data(channel(), payload, client_.is_stream())
                   : client_.turn().send_indication(peer, payload),
               client_.server());
}

// `seen` is set to the peer's address as the server sees it. It differs from the address in the peer's
// Binding response when the NAT maps by destination.
bool TurnTest::receive_at_client(Bytes payload, Framing framing, Endpoint& seen, milliseconds wait) {
  return receive_until(client_, wait, [&](const client::Datagram& datagram) {
    const client::Event event = client_.turn().receive(datagram.bytes);
    const auto* data = std::get_if<client::PeerData>(&event);
    if (!data || !std::ranges::equal(data->payload, payload)) return false;
    if (framing == Framing::channel) return data->channel == channel();
    if (data->peer) seen = *data->peer;
    return data->peer.has_value();
  });
}

bool TurnTest::receive_at_peer(Bytes payload, milliseconds wait) {
  return receive_until(
      peer_, wait, [&](const client::Datagram& datagram) { return is_payload_at_peer(datagram, payload); });
}

bool TurnTest::is_payload_at_peer(const client::Datagram& datagram, Bytes payload) {
  if (!peer_relayed_) return std::ranges::equal(datagram.bytes, payload);
  const client::Event event = peer_.turn().receive(datagram.bytes);
  const auto* data = std::get_if<client::PeerData>(&event);
  return data && std::ranges::equal(data->payload, payload);
}

TurnTest::Payload TurnTest::random_payload() {
  Payload payload;
  random_.fill(payload);
  return payload;
}

Step TurnTest::release() {
  Step step = release_one(client_);
  if (!peer_relayed_) return step;
  const Step peer = release_one(peer_);
  if (step.ok() && !peer.ok()) step.problem = peer.problem;
  return step;
}

}  // namespace turnpike::stunclient
