// The whole core on two plain UDP sockets, a listener and a relay socket: turn::Server is called with what
// these have received and with the time, it fills an Output, and the caller sends the messages in it.
#include <catch2/catch.hpp>

#include "client/udp.hpp"
#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using namespace std::chrono_literals;
// The server asks for relayed addresses here. The daemon binds a socket for each; this one has a single one.
struct OneRelay : RelayPorts {
  Result<Relay, RelayError> open(const RelayRequest&) override {
    return Relay(*this, RelayId{0}, socket.local(), socket.local());
  }
  Result<Relay, RelayError> claim(const stun::ReservationToken&, std::string_view, QuotaSlot&) override {
    return RelayError::no_reservation;
  }
  void release(const stun::ReservationToken&) override {}
  bool supports(Family family) const override { return family == Family::ipv4; }
  bool is_live(const Endpoint&, RelayedTransport) const override { return false; }
  IpAddress to_advertised(const IpAddress& local) const override { return local; }  // there is no 1:1 NAT
  IpAddress to_local(const IpAddress& advertised) const override { return advertised; }
  void close(RelayId) override {}
  client::UdpSocket socket{endpoint("127.0.0.1:0")};
};

struct MinimalServer {
  // Takes one datagram from a socket and carries out what the server wants.
  void serve(client::UdpSocket& socket) {
    Output out;
    const auto [octets, from] = socket.receive(10s).value();
    if (&socket == &listener) server.on_client({from, listener.local()}, octets, now, out);
    if (&socket == &relay.socket) server.on_peer(RelayId{0}, from, octets, now, out);
    for (const Output::ToClient& message : out.to_clients()) {
      Octets whole(out.head(message).begin(), out.head(message).end());  // a STUN or ChannelData header
      whole.insert(whole.end(), message.payload.begin(), message.payload.end());
      whole.resize(whole.size() + message.padding);
      listener.send_to(whole, message.tuple.client);
    }
    for (const Output::ToPeer& message : out.to_peers()) relay.socket.send_to(message.payload, message.peer);
  }
  client::UdpSocket listener{endpoint("127.0.0.1:0")};
  OneRelay relay;
  TimePoint now{SteadyTime(24h), WallTime(24h)};  // time is an argument, and here it stands still
  crypto::Digester digester;
  ScriptedRandom random;
  auth::CredentialStore credentials{{std::string(kRealm), {{"alice", "alice's password", {}, {}}}, {}},
                                    digester};
  PeerPolicy policy{{.peers = {.allow = {{address("127.0.0.0"), 8}}, .deny = {}}, .own_addresses = {}}};
  Limits limits;
  Limiters limiters{limits, HashKey{}};
  Quota quota{0, 0, HashKey{}};  // no limits
  Server server{{{&credentials, &policy, nullptr, limits}, relay, quota, quota, limiters, random}};
};

TEST_CASE("the whole core relays between a client and a peer on two plain sockets", "[turn]") {
  MinimalServer s;
  client::UdpSocket client(endpoint("127.0.0.1:0")), peer(endpoint("127.0.0.1:0"));
  const std::string to = peer.local().to_string();
  std::string nonce;
  const auto say = [&](const Octets& message) {
    client.send_to(message, s.listener.local());
    s.serve(s.listener);
  };
  const auto hear = [](client::UdpSocket& socket) { return socket.receive(10s).value().bytes; };
  const auto ask = [&](const RequestMaker& request) {
    say(request.build(s.digester, nonce, {}));
    return hear(client);
  };
  const auto value = [](const Octets& message, stun::AttributeType type) {
    return std::string(as_text(stun::MessageView::parse(message)->find(type).value()));
  };
  // The first Allocate is not signed. Its refusal, 401, carries a nonce for the requests that follow.
  nonce = value(ask(allocate().unsigned_by_anybody()), stun::AttributeType::nonce);
  const std::string relayed = value(ask(allocate()), stun::AttributeType::xor_relayed_address);
  CHECK(stun::decode_xor_address(as_bytes(relayed), {}) == s.relay.socket.local());
  // With a permission, Send indications go out, and what the peer sends comes back in Data indications.
  ask(create_permission(to));
  say(send(to, "hello").build(s.digester, nonce, {}));
  CHECK(as_text(hear(peer)) == "hello");
  peer.send_to(as_bytes("hello yourself"), s.relay.socket.local());
  s.serve(s.relay.socket);
  CHECK(value(hear(client), stun::AttributeType::data) == "hello yourself");
  // With a channel, a header of four octets stands in front of the payload instead.
  ask(test::channel_bind(0x4000, to));
  say(test::channel_data(0x4000, "bye"));
  CHECK(as_text(hear(peer)) == "bye");
  peer.send_to(as_bytes("bye-bye"), s.relay.socket.local());
  s.serve(s.relay.socket);
  CHECK(hear(client) == test::channel_data(0x4000, "bye-bye"));
}

}  // namespace
}  // namespace turnpike::turn
