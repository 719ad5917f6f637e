// Send, Data and ChannelData (RFC 8656 §11 and §12), ICMP, and the peers that are this server itself.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using stun::AttributeType;
using stun::Method;

struct OnePeer : Scenario {
  explicit OnePeer(const Client& c = client(1), Setup setup = {}) : Scenario(std::move(setup)) {
    client_sends(allocate().from(c)).expect_success();
    client_sends(create_permission("5.6.7.8:1").from(c)).expect_success();
  }
};

TEST_CASE("payloads of every size come through whole", "[turn]") {
  OnePeer s;
  s.client_sends(channel_bind(0x4000, "5.6.7.8:2")).expect_success();
  for (const std::size_t size : {0, 1, 2, 3, 4, 5, 100, 1200, 1472, 9000, 65000}) {
    CAPTURE(size);
    std::string payload(size, '\0');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 7);
    s.client_sends(send("5.6.7.8:1", payload)).expect_sent("5.6.7.8:1", payload);
    s.client_sends(channel_data(0x4000, payload)).expect_sent("5.6.7.8:2", payload);
    s.peer_sends("5.6.7.8:1", payload).expect_data_from("5.6.7.8:1", payload);
    s.peer_sends("5.6.7.8:2", payload).expect_channel_data(0x4000, payload);
  }
  s.client_sends(send("5.6.7.8:1", "").fingerprint()).expect_sent("5.6.7.8:1", "");
}

TEST_CASE("a Send indication that is incomplete is dropped", "[turn]") {
  OnePeer s;
  s.client_sends(indication(Method::send).peer("5.6.7.8:1")).expect_silence();
  s.client_sends(indication(Method::send).data("x")).expect_silence();
  s.client_sends(indication(Method::send)).expect_silence();
  s.client_sends(indication(Method::send).raw(AttributeType::xor_peer_address, "1234567").data("x"))
      .expect_silence();
  s.client_sends(send("5.6.7.8:0", "x")).expect_silence();
  s.client_sends(send("[2a00::1]:1", "x")).expect_silence();
  s.client_sends(send("[::ffff:5.6.7.8]:1", "x")).expect_silence();
  s.client_sends(RequestMaker(send("5.6.7.8:1", "x")).from(client(2))).expect_silence();
  // Of each attribute the first one counts. Those after an integrity attribute do not count.
  s.client_sends(send("5.6.7.8:1", "first").data("second").peer("5.6.7.8:2"))
      .expect_sent("5.6.7.8:1", "first");
  s.client_sends(
       RequestMaker(Method::send, stun::Class::indication).peer("5.6.7.8:1").behind_integrity([](auto& b) {
         b.add(AttributeType::data, "x");
       }))
      .expect_silence();
  // Relaying continues.
  s.client_sends(send("5.6.7.8:1", "x")).expect_sent("5.6.7.8:1", "x");
}

TEST_CASE("DONT-FRAGMENT is passed on", "[turn]") {
  OnePeer s;
  s.client_sends(send("5.6.7.8:1", "x").dont_fragment()).expect_sent("5.6.7.8:1", "x", true);
  s.client_sends(indication(Method::send).dont_fragment().peer("5.6.7.8:1").data("x"))
      .expect_sent("5.6.7.8:1", "x", true);
  s.client_sends(send("5.6.7.8:1", "x")).expect_sent("5.6.7.8:1", "x", false);
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x", false);
  s.client_sends(allocate().dont_fragment().from(client(2))).expect_success();
}

TEST_CASE("with IPv6 on one side, DONT-FRAGMENT counts for clients on streams alone", "[turn]") {
  for (const Transport transport : {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
    for (const char* from : {"198.51.100.1:40001", "[2a00::7]:40001", "[::ffff:198.51.100.1]:40001"}) {
      CAPTURE(to_string(transport), from);
      Client c = client_on(transport);
      c.tuple.client = endpoint(from);
      const bool comes_by_v6 = std::string_view(from).starts_with("[2a00");
      Scenario s;
      s.client_sends(allocate().additional_family(Family::ipv6).from(c)).expect_success();
      s.client_sends(create_permission("5.6.7.8:1").peer("[2a00::1]:1").from(c)).expect_success();
      s.client_sends(send("5.6.7.8:1", "x").dont_fragment().from(c))
          .expect_sent("5.6.7.8:1", "x", is_stream(transport) || !comes_by_v6);
      s.client_sends(send("[2a00::1]:1", "x").dont_fragment().from(c))
          .expect_sent("[2a00::1]:1", "x", is_stream(transport));
    }
  }
}

TEST_CASE("each transport has its padding", "[turn]") {
  for (const Transport transport : {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
    CAPTURE(to_string(transport));
    const Client c = client_on(transport);
    OnePeer s(c);
    s.client_sends(channel_bind(0x4000, "5.6.7.8:2").from(c)).expect_success();
    const Endpoint relayed = s.relayed(c);
    for (const std::string payload : {"", "1", "12", "123", "1234"}) {
      s.peer_sends("5.6.7.8:2", payload, relayed).expect_channel_data(0x4000, payload).expect_to(c);
      s.peer_sends("5.6.7.8:1", payload, relayed).expect_data_from("5.6.7.8:1", payload).expect_to(c);
    }
    // The client's padding is not part of the payload.
    Octets padded = channel_data(0x4000, "12345");
    padded.resize(12, 0xEE);
    s.client_sends(padded, c).expect_sent("5.6.7.8:2", "12345");
    Octets cut = channel_data(0x4000, "12345");
    cut.pop_back();
    s.client_sends(cut, c).expect_silence();
  }
}

TEST_CASE("a datagram longer than a STUN message is dropped, not mangled", "[turn]") {
  const Client c = client_on(Transport::tcp);
  Scenario s;
  s.client_sends(allocate().family(Family::ipv6).from(c)).expect_success();
  s.client_sends(create_permission("[2a00::1]:1").from(c)).expect_success();
  const Endpoint relayed = s.relayed(c, Family::ipv6);
  for (const std::size_t size :
       {65503, 65504}) {  // 24 octets of peer and 4 of a header besides, 65,532 at most
    const std::string payload(size, 'x');
    s.peer_sends("[2a00::1]:1", payload, relayed).expect_data_from("[2a00::1]:1", payload);
  }
  for (const std::size_t size : {65505, 65507, 65527})
    s.peer_sends("[2a00::1]:1", std::string(size, 'x'), relayed).expect_silence();
  s.client_sends(channel_bind(0x4000, "[2a00::1]:1").from(c)).expect_success();
  s.peer_sends("[2a00::1]:1", std::string(65527, 'x'), relayed)
      .expect_channel_data(0x4000, std::string(65527, 'x'));
}

TEST_CASE("several clients talk to one peer, each through its own relayed address", "[turn]") {
  Scenario s;
  for (unsigned i = 1; i <= 3; ++i) {
    s.client_sends(allocate().from(client(i))).expect_success();
    s.client_sends(channel_bind(0x4000, "5.6.7.8:1").from(client(i))).expect_success();
  }
  for (unsigned i = 1; i <= 3; ++i) {
    const Outcome sent = s.client_sends(channel_data(0x4000, "x"), client(i)).expect_sent("5.6.7.8:1", "x");
    CHECK(sent.to_peers[0].relayed == s.relayed(client(i)));
    s.peer_sends("5.6.7.8:1", "y", s.relayed(client(i)))
        .expect_channel_data(0x4000, "y")
        .expect_to(client(i));
  }
}

TEST_CASE("both families of an allocation relay", "[turn]") {
  Scenario s;
  s.client_sends(allocate().additional_family(Family::ipv6)).expect_success();
  s.client_sends(create_permission("5.6.7.8:1").peer("[2a00::1]:1")).expect_success();
  s.client_sends(channel_bind(0x4006, "[2a00::1]:6")).expect_success();
  const Endpoint four = endpoint("192.0.2.1:50000");
  const Endpoint six = endpoint("[2001:db8::1]:50000");
  CHECK(s.client_sends(send("5.6.7.8:1", "x")).expect_sent("5.6.7.8:1", "x").to_peers[0].relayed == four);
  CHECK(s.client_sends(send("[2a00::1]:1", "x")).expect_sent("[2a00::1]:1", "x").to_peers[0].relayed == six);
  CHECK(s.client_sends(channel_data(0x4006, "x")).expect_sent("[2a00::1]:6", "x").to_peers[0].relayed == six);
  s.peer_sends("5.6.7.8:1", "y", four).expect_data_from("5.6.7.8:1", "y");
  s.peer_sends("[2a00::1]:1", "y", six).expect_data_from("[2a00::1]:1", "y");
  s.peer_sends("[2a00::1]:6", "y", six).expect_channel_data(0x4006, "y");
  s.peer_sends("[2a00::2]:6", "y", six).expect_silence();
}

TEST_CASE("a datagram for a relay that no longer exists is dropped", "[turn]") {
  Scenario s;
  for (const auto relay : {RelayId{0}, RelayId{1}, RelayId{1'000'000}})
    s.peer_sends_to(relay, "5.6.7.8:1", "before anything").expect_silence();
  s.client_sends(allocate().additional_family(Family::ipv6)).expect_success();
  s.client_sends(create_permission("5.6.7.8:1").peer("[2a00::1]:1")).expect_success();
  CHECK(s.peer_sends_to(RelayId{0}, "5.6.7.8:1", "x").to_clients.size() == 2);  // Data and ICMP
  CHECK(s.peer_sends_to(RelayId{1}, "[2a00::1]:1", "x").to_clients.size() == 2);
  s.client_sends(refresh(0s).family(Family::ipv4)).expect_success();
  s.peer_sends_to(RelayId{0}, "5.6.7.8:1", "late").expect_silence();
  s.peer_sends_to(RelayId{0}, "[2a00::1]:1", "late").expect_silence();
  s.client_sends(refresh(0s)).expect_success();
  s.peer_sends_to(RelayId{1}, "[2a00::1]:1", "late").expect_silence();
  s.client_sends(allocate()).expect_success();
  s.advance(600s).expect_expired();
  s.peer_sends_to(RelayId{0}, "5.6.7.8:1", "late").expect_silence();
}

TEST_CASE("ICMP comes back where a permission matches", "[turn]") {
  OnePeer s;
  const stun::Icmp unreachable{3, 3, 0};
  const stun::Icmp too_big{3, 4, 1400};
  s.icmp_arrives("5.6.7.8:9", unreachable).expect_icmp("5.6.7.8:9", unreachable);
  s.icmp_arrives("5.6.7.8:9", too_big).expect_icmp("5.6.7.8:9", too_big);
  s.icmp_arrives("5.6.7.9:9", unreachable).expect_silence();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:9")).expect_success();
  s.icmp_arrives("5.6.7.8:9", too_big).expect_icmp("5.6.7.8:9", too_big);  // an indication even so
  s.advance(300s);
  s.icmp_arrives("5.6.7.8:9", unreachable).expect_silence();
}

// A client of RFC 5766 may rely on DATA in every Data indication. Pion's hears nothing more after one without
// it.
TEST_CASE("old clients that put FINGERPRINT into their requests find DATA beside an ICMP error", "[turn]") {
  struct Row {
    std::string what;
    RequestMaker ask;
    bool needs_data;
  };
  const auto with_fingerprint = [] { return allocate().fingerprint(); };
  const Row table[] = {
      {"an old client as Pion's", with_fingerprint(), true},
      {"an old client as SIPSorcery's", with_fingerprint().family(Family::ipv4), true},
      {"an old client without FINGERPRINT", allocate(), false},
      {"a client of RFC 8489", with_fingerprint().sha256(), false},
      {"a client of RFC 8489 that signs with SHA-1",
       with_fingerprint().choosing(stun::PasswordAlgorithm::md5).signing(Signing::sha1), false},
      {"a client of RFC 8656", with_fingerprint().additional_family(Family::ipv6), false},
      {"a client that asks for a lifetime", with_fingerprint().lifetime(300s), false},
      {"a client whose lifetime is behind its signature",
       with_fingerprint().behind_integrity([](auto& b) { b.add_lifetime(300s); }), true},
      {"a client that asks for what is too large", with_fingerprint().dont_fragment(), false},
  };
  const stun::Icmp unreachable{3, 3, 0};
  for (const Row& row : table) {
    CAPTURE(row.what);
    Scenario s;
    s.client_sends(row.ask).expect_success();
    s.client_sends(create_permission("5.6.7.8:1").fingerprint()).expect_success();
    s.icmp_arrives("5.6.7.8:9", unreachable).expect_icmp("5.6.7.8:9", unreachable, row.needs_data);
  }
}

// --- This machine as a peer

Setup behind_nat() {
  Setup setup;
  setup.relays.v4 = address("10.0.0.5");
  setup.relays.advertise = {{address("10.0.0.5"), address("198.51.100.7")}};
  return setup;
}

TEST_CASE("two clients of this server reach one another behind a 1:1 NAT", "[turn]") {
  Scenario s(behind_nat());
  const Outcome one = s.client_sends(allocate()).expect_success();
  const Outcome two = s.client_sends(allocate().from(client(2))).expect_success();
  CHECK(one.relayed_text() == "198.51.100.7:50000");
  CHECK(two.relayed_text() == "198.51.100.7:50001");
  CHECK(one.lifetimes.at(0).relayed.to_string() == "198.51.100.7:50000");
  s.client_sends(create_permission("198.51.100.7:50001")).expect_success();
  s.client_sends(channel_bind(0x4000, "198.51.100.7:50000").from(client(2))).expect_success();

  // What goes out to the local form of the address comes in from the local form.
  s.client_sends(send("198.51.100.7:50001", "hello"))
      .expect_channel_data(0x4000, "hello")
      .expect_to(client(2));
  s.client_sends(channel_data(0x4000, "hi"), client(2))
      .expect_data_from("198.51.100.7:50001", "hi")
      .expect_to(client(1));
  s.icmp_arrives("10.0.0.5:50001", {3, 3, 0}).expect_icmp("198.51.100.7:50001", {3, 3, 0});

  // Both addresses mean the same peer.
  s.client_sends(channel_bind(0x4001, "10.0.0.5:50000").from(client(2))).expect_error(400);
  s.client_sends(channel_bind(0x4000, "10.0.0.5:50000").from(client(2))).expect_success();
  // When the other allocation ends, its address is no longer a peer.
  s.client_sends(refresh(0s).from(client(2))).expect_success();
  s.client_sends(send("198.51.100.7:50001", "anybody?")).expect_silence();
}

TEST_CASE("of this machine only live relayed addresses can be reached", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(allocate().from(client(2))).expect_success();
  s.client_sends(create_permission("192.0.2.1:1")).expect_success();  // a permission has no port
  s.client_sends(create_permission("192.0.2.1:1").from(client(2))).expect_success();
  s.client_sends(send("192.0.2.1:50001", "x")).expect_data_from("192.0.2.1:50000", "x").expect_to(client(2));
  s.client_sends(send("192.0.2.1:50000", "to myself"))
      .expect_data_from("192.0.2.1:50000", "to myself")
      .expect_to(client(1));
  for (const std::string peer :
       {"192.0.2.1:22", "192.0.2.1:3478", "192.0.2.1:50002", "192.0.2.1:65535", "192.0.2.1:0"})
    s.client_sends(send(peer, "x")).expect_silence();
  s.peer_sends("192.0.2.1:22", "x").expect_silence();
  s.peer_sends("192.0.2.1:3478", "x").expect_silence();
  s.peer_sends("192.0.2.1:50001", "x").expect_data_from("192.0.2.1:50001", "x");

  // The same holds for channels: the present policy on the port decides, not the former one.
  s.client_sends(channel_bind(0x4000, "192.0.2.1:22")).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_silence();
  s.client_sends(channel_bind(0x4001, "192.0.2.1:50002")).expect_success();
  s.client_sends(channel_data(0x4001, "x")).expect_silence();
  s.client_sends(allocate().from(client(3))).expect_success();
  s.client_sends(create_permission("192.0.2.1:1").from(client(3))).expect_success();
  s.client_sends(channel_data(0x4001, "x")).expect_data_from("192.0.2.1:50000", "x").expect_to(client(3));
  s.peer_sends("192.0.2.1:50002", "y").expect_channel_data(0x4001, "y");
  s.client_sends(refresh(0s).from(client(3))).expect_success();
  s.client_sends(channel_data(0x4001, "x")).expect_silence();
  s.peer_sends("192.0.2.1:50002", "y").expect_silence();
  s.client_sends(channel_bind(0x4002, "192.0.2.1:3478")).expect_error(403);
}

TEST_CASE("an own address with an exact rule is open, except for our listeners", "[turn]") {
  Setup setup;
  setup.peers.allow = {{address("192.0.2.1"), 32}};
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  s.client_sends(create_permission("192.0.2.1:1")).expect_success();
  s.client_sends(send("192.0.2.1:22", "x")).expect_sent("192.0.2.1:22", "x");
  s.peer_sends("192.0.2.1:22", "y").expect_data_from("192.0.2.1:22", "y");
  s.client_sends(send("192.0.2.1:3478", "x")).expect_silence();
  s.client_sends(channel_bind(0x4000, "192.0.2.1:3478")).expect_error(403);
  s.client_sends(channel_bind(0x4000, "192.0.2.1:8443")).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_sent("192.0.2.1:8443", "x");
  // This machine's other address is not allowed.
  s.client_sends(create_permission("192.0.2.2:1")).expect_success();
  s.client_sends(send("192.0.2.2:22", "x")).expect_silence();
}

TEST_CASE("the operator may open loopback", "[turn]") {
  Setup setup;
  setup.peers.allow = {{address("127.0.0.1"), 32}};
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  s.client_sends(create_permission("127.0.0.2:1")).expect_error(403);
  s.client_sends(create_permission("127.0.0.1:1")).expect_success();
  s.client_sends(send("127.0.0.1:9", "x")).expect_sent("127.0.0.1:9", "x");
}

TEST_CASE("an advertised address does not open what lies behind it", "[turn]") {
  Setup setup = behind_nat();
  setup.relays.advertise[address("10.0.0.9")] = address("198.51.100.9");  // not an address of this machine
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  s.client_sends(create_permission("198.51.100.9:1")).expect_error(403);
  s.client_sends(create_permission("10.0.0.9:1")).expect_error(403);
  s.client_sends(create_permission("198.51.100.7:1")).expect_success();
  s.client_sends(send("198.51.100.7:22", "x")).expect_silence();
}

}  // namespace
}  // namespace turnpike::turn
