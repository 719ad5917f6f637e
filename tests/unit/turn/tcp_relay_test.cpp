// TCP relayed addresses (RFC 6062).
#include <catch2/catch.hpp>
#include <string>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using stun::AttributeType;
using State = FakePeers::State;

Setup with_tcp() {
  Setup setup;
  setup.tcp_relay = true;
  return setup;
}

// The ConnectionBind of a client may come to any worker.
RequestMaker bind(ConnectionId id) { return connection_bind(static_cast<std::uint32_t>(id)); }

TEST_CASE("only clients on streams get a TCP relayed address, if this is enabled", "[turn][tcp]") {
  SECTION("on") {
    Scenario s(with_tcp());
    s.client_sends(allocate_tcp()).expect_error(400);  // over UDP
    s.client_sends(allocate_tcp().even_port(false).from(over_tcp())).expect_error(400);
    s.client_sends(allocate_tcp().dont_fragment().from(over_tcp())).expect_error(400);
    s.client_sends(allocate_tcp().claiming({1, 2, 3}).from(over_tcp())).expect_error(400);
    s.client_sends(request(stun::Method::allocate).transport(99).from(over_tcp())).expect_error(442);
    s.client_sends(allocate_tcp().from(over_tcp())).expect_success().expect_lifetime(600s);
    s.client_sends(allocate_tcp().from(client_on(Transport::tls, 2))).expect_success();
  }
  SECTION("off") {
    Scenario s;
    s.client_sends(allocate_tcp().from(over_tcp())).expect_error(442);
    s.client_sends(allocate().from(over_tcp())).expect_success();
    s.client_sends(connect("5.6.7.8:80").from(over_tcp())).expect_error(400);
    s.client_sends(connection_bind(1).from(over_tcp(2))).expect_error(400);
  }
}

TEST_CASE("a TCP relayed address relays no datagrams", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  s.client_sends(create_permission("5.6.7.8:80").from(over_tcp())).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:80").from(over_tcp())).expect_error(400);
  s.client_sends(send("5.6.7.8:80", "x").from(over_tcp())).expect_silence();
}

TEST_CASE("Connect is answered when the peer has answered", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  for (const bool sha256 : {false, true}) {
    const std::string peer = sha256 ? "5.6.7.8:81" : "5.6.7.8:80";
    RequestMaker ask = connect(peer).from(over_tcp()).fingerprint();
    if (sha256) ask.sha256();
    const Outcome asked = s.client_sends(ask);
    asked.expect_silence();
    CHECK(s.peers().open.at(ConnectionId{s.peers().last_id}).peer == endpoint(peer));
    const Outcome answer = s.connection_ends_up(true, asked);
    CHECK(answer.expect_success().connection_id() == ConnectionId{s.peers().last_id});
    CHECK(s.peers().open.at(answer.connection_id()).state == State::waiting);
  }
  s.client_sends(refresh(0s).from(over_tcp())).expect_success();
  CHECK(s.peers().open.empty());
}

TEST_CASE("an unreachable peer causes a 447, and the client may try again", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  Outcome asked = s.client_sends(connect("5.6.7.8:80").from(over_tcp()));
  SECTION("it refuses") {
    const Outcome refused = s.connection_ends_up(false, asked).expect_error(447);
    CHECK(refused.refusals.at(0).peer == endpoint("5.6.7.8:80"));  // for the log
  }
  SECTION("it is silent for 30 s") {
    CHECK(s.advance(29s).to_clients.empty());
    Outcome late = s.advance(1s);
    late.asked = asked.asked;
    late.expect_error(447);
    CHECK(s.peers().open.empty());
  }
  asked = s.client_sends(connect("5.6.7.8:80").from(over_tcp()));
  s.connection_ends_up(true, asked).expect_success();
}

TEST_CASE("a Connect to a malformed or denied peer is refused", "[turn][tcp]") {
  Setup setup = with_tcp();
  setup.peers.allow = {{address("192.0.2.1"), 32}, {address("127.0.0.2"), 32}};
  Scenario s(setup);
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  struct Row {
    std::string what;
    RequestMaker ask;
    int code;
  };
  const Row table[] = {
      {"nobody", request(stun::Method::connect), 400},
      {"port 0", connect("5.6.7.8:0"), 400},
      {"a private network", connect("10.0.0.1:80"), 403},
      {"loopback", connect("127.0.0.1:80"), 403},
      {"the address in disguise", connect("[::ffff:127.0.0.1]:80"), 443},
      {"the other family", connect("[2a00::1]:80"), 443},
      {"this machine where no relayed address lives", connect("192.0.2.2:50000"), 403},
      {"our own listener, though its address is allowed", connect("192.0.2.1:443"), 403},
  };
  for (Row row : table) {
    CAPTURE(row.what);
    s.client_sends(row.ask.from(over_tcp())).expect_error(row.code);
  }
  CHECK(s.peers().open.empty());
  s.client_sends(connect("127.0.0.2:80").from(over_tcp())).expect_silence();
  s.client_sends(connect("192.0.2.1:3478").from(over_tcp())).expect_silence();  // ours is on UDP alone

  s.client_sends(allocate().from(over_tcp(2))).expect_success();
  s.client_sends(connect("5.6.7.8:80").from(over_tcp(2))).expect_error(400);
  s.client_sends(connect("5.6.7.8:80").from(over_tcp(3))).expect_error(437);
}

TEST_CASE("a relayed address of one transport opens nothing of the other", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp(1))).expect_success();
  s.client_sends(allocate_tcp().from(over_tcp(2))).expect_success();
  s.client_sends(allocate().from(client(3))).expect_success();
  const std::string by_tcp = s.relayed(over_tcp(2)).to_string();
  const std::string by_udp = s.relayed(client(3)).to_string();
  s.client_sends(connect(by_udp).from(over_tcp(1))).expect_error(403);
  s.client_sends(connect(by_tcp).from(over_tcp(1))).expect_silence();
  s.client_sends(create_permission(by_tcp).from(client(3))).expect_success();
  s.client_sends(send(by_tcp, "x").from(client(3))).expect_silence();
  s.client_sends(send(by_udp, "x").from(client(3))).expect_data_from(by_udp, "x");
}

// A permission for an address of this machine is one for the relayed addresses there and for nothing else.
TEST_CASE("from an address of this machine only relayed addresses connect", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp(1))).expect_success();
  s.client_sends(allocate_tcp().from(over_tcp(2))).expect_success();
  const Endpoint relayed = s.relayed(over_tcp(1));
  const Endpoint neighbour = s.relayed(over_tcp(2));
  s.client_sends(create_permission(neighbour.to_string()).from(over_tcp(1))).expect_success();
  CHECK_FALSE(s.peer_connects(Endpoint{neighbour.address, 4000}.to_string(), relayed).id);
  CHECK(s.peer_connects(neighbour.to_string(), relayed).id);
}

TEST_CASE("there is one connection with each peer", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  const Outcome asked = s.client_sends(connect("5.6.7.8:80").from(over_tcp()));
  s.client_sends(connect("5.6.7.8:80").from(over_tcp())).expect_error(446);  // while it is being made
  const ConnectionId id = s.connection_ends_up(true, asked).connection_id();
  s.client_sends(connect("5.6.7.8:80").from(over_tcp())).expect_error(446);
  s.client_sends(bind(id).from(over_tcp(2))).expect_success();
  s.client_sends(connect("5.6.7.8:80").from(over_tcp())).expect_error(446);
  s.client_sends(connect("5.6.7.8:81").from(over_tcp())).expect_silence();
  s.peer_closes(id);
  s.client_sends(connect("5.6.7.8:80").from(over_tcp())).expect_silence();
}

// Pion's client does this after 200 ms.
TEST_CASE("a Connect that comes again while its peer is asked has one answer", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  const RequestMaker ask = connect("5.6.7.8:80").transaction(7).from(over_tcp());
  const Outcome asked = s.client_sends(ask);
  s.client_sends(ask).expect_silence();
  CHECK(s.peers().open.size() == 1);
  s.client_sends(connect("5.6.7.8:80").from(over_tcp())).expect_error(446);  // another request
  SECTION("the peer accepts") {
    s.connection_ends_up(true, asked).expect_success();
    s.client_sends(ask).expect_error(446);
  }
  SECTION("the peer refuses") {
    s.connection_ends_up(false, asked).expect_error(447);
    s.client_sends(ask).expect_silence();
    CHECK(s.peers().open.size() == 1);
  }
  SECTION("the client has one transaction id for all its requests") {
    s.client_sends(connect("5.6.7.8:81").transaction(7).from(over_tcp())).expect_silence();
    CHECK(s.peers().open.size() == 2);
  }
}

TEST_CASE("without descriptors, Connect is refused", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  s.peers().exhausted = true;
  s.client_sends(connect("5.6.7.8:80").from(over_tcp())).expect_error(508);
  s.peers().exhausted = false;
  s.client_sends(connect("5.6.7.8:80").from(over_tcp())).expect_silence();
}

TEST_CASE("a peer may connect if it has a permission", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  const Endpoint relayed = s.relayed(over_tcp());
  CHECK_FALSE(s.peer_connects("5.6.7.8:1000", relayed).id);
  s.client_sends(create_permission("5.6.7.8:1").from(over_tcp())).expect_success();
  const auto accepted = s.peer_connects("5.6.7.8:1000", relayed);
  REQUIRE(accepted.id);
  accepted.outcome.expect_to(over_tcp()).expect_attempt("5.6.7.8:1000");
  CHECK(accepted.outcome.connection_id() == *accepted.id);
  CHECK_FALSE(s.peer_connects("5.6.7.9:1000", relayed).id);
  s.client_sends(connect("5.6.7.8:1000").from(over_tcp())).expect_error(446);

  s.client_sends(bind(*accepted.id).from(over_tcp(2))).expect_success();
  s.advance(300s);
  CHECK_FALSE(s.peer_connects("5.6.7.8:1001", relayed).id);
  CHECK(s.peers().open.at(*accepted.id).state == State::bound);  // the permission is for connecting
  s.client_sends(refresh(0s).from(over_tcp())).expect_success();
  CHECK(s.peers().open.empty());
}

TEST_CASE("ConnectionBind finds its connection from any worker, for its own user alone", "[turn][tcp]") {
  Setup setup = with_tcp();
  setup.workers = 2;
  Scenario s(setup);
  const Client control = over_tcp(1, 0);
  s.client_sends(allocate_tcp().from(control)).expect_success();
  const Outcome asked = s.client_sends(connect("5.6.7.8:80").from(control));
  const ConnectionId id{s.peers().last_id};
  s.client_sends(bind(id).from(over_tcp(2, 1))).expect_error(400);  // not connected yet
  s.connection_ends_up(true, asked).expect_success();

  s.client_sends(bind(id).from(over_tcp(3, 1)).as("bob")).expect_error(400);
  s.client_sends(connection_bind(4711).from(over_tcp(4, 1))).expect_error(400);
  s.client_sends(request(stun::Method::connection_bind).from(over_tcp(4, 1))).expect_error(400);
  s.client_sends(
       request(stun::Method::connection_bind).raw(AttributeType::connection_id, "abc").from(over_tcp(4, 1)))
      .expect_error(400);
  s.client_sends(bind(id).from(client(5, 1))).expect_error(400);  // over UDP
  s.client_sends(bind(id).from(control)).expect_error(400);       // the control connection itself
  s.client_sends(bind(id).from(over_tcp(6, 1)).unsigned_by_anybody()).expect_error(401);

  const Outcome bound = s.client_sends(bind(id).from(over_tcp(7, 1)));
  CHECK(bound.expect_success().connection_id() == id);
  CHECK(s.peers().open.at(id).client == over_tcp(7, 1).tuple);
  s.client_sends(bind(id).from(over_tcp(8, 1))).expect_error(400);  // it has one
  s.client_closes(control);
  CHECK(s.peers().open.empty());
}

TEST_CASE("a client that does not bind within 30 s loses the connection", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().lifetime(3600s).from(over_tcp())).expect_success();
  s.client_sends(create_permission("5.6.7.8:1").from(over_tcp())).expect_success();
  const Outcome asked = s.client_sends(connect("5.6.7.9:80").from(over_tcp()));
  const ConnectionId first = s.connection_ends_up(true, asked).connection_id();
  const ConnectionId second = *s.peer_connects("5.6.7.8:1", s.relayed(over_tcp())).id;
  s.advance(29s);
  s.client_sends(bind(second).from(over_tcp(2))).expect_success();
  s.advance(1s);
  CHECK_FALSE(s.peers().open.contains(first));
  s.client_sends(bind(first).from(over_tcp(3))).expect_error(400);
  s.advance(1000s);
  CHECK(s.peers().open.at(second).state == State::bound);
  s.peer_closes(second);
}

TEST_CASE("the allocation's end closes its connections, whatever state they are in", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  const Outcome asked = s.client_sends(connect("5.6.7.8:80").from(over_tcp()));
  const ConnectionId bound = s.connection_ends_up(true, asked).connection_id();
  s.client_sends(bind(bound).from(over_tcp(2))).expect_success();
  s.connection_ends_up(true, s.client_sends(connect("5.6.7.8:81").from(over_tcp()))).expect_success();
  const Outcome pending = s.client_sends(connect("5.6.7.8:82").from(over_tcp()));
  CHECK(s.peers().open.size() == 3);
  SECTION("by expiry") { s.advance(600s); }
  SECTION("by Refresh") { s.client_sends(refresh(0s).from(over_tcp())).expect_success(); }
  SECTION("by the end of the control connection") { s.client_closes(over_tcp()); }
  CHECK(s.peers().open.empty());
  s.connection_ends_up(true, pending).expect_silence();  // news of what is no more
  s.peer_closes(bound);
}

TEST_CASE("a connection cannot be bound on the 5-tuple to which an allocation moves",
          "[turn][tcp][mobility]") {
  Setup setup = with_tcp();
  setup.mobility = true;
  Scenario s(setup);
  s.client_sends(allocate_tcp().from(over_tcp(1))).expect_success();
  const ConnectionId id =
      s.connection_ends_up(true, s.client_sends(connect("5.6.7.8:80").from(over_tcp(1)))).connection_id();
  const std::string ticket = s.client_sends(allocate_mobile().from(client(5))).expect_success().ticket();
  s.client_sends(refresh_with(ticket).from(over_tcp(2))).expect_success();
  s.client_sends(bind(id).from(over_tcp(2))).expect_error(400);
  CHECK(s.peers().open.at(id).state == State::waiting);
  s.client_sends(bind(id).from(over_tcp(3))).expect_success();
  s.peer_closes(id);
}

TEST_CASE("the connections of a family end with its address", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().additional_family(Family::ipv6).from(over_tcp())).expect_success();
  s.connection_ends_up(true, s.client_sends(connect("5.6.7.8:80").from(over_tcp()))).expect_success();
  const ConnectionId v6 =
      s.connection_ends_up(true, s.client_sends(connect("[2a00::1]:80").from(over_tcp()))).connection_id();
  CHECK(s.peers().open.size() == 2);
  s.client_sends(refresh(0s).family(Family::ipv6).from(over_tcp())).expect_success();
  CHECK(s.peers().open.size() == 1);
  CHECK_FALSE(s.peers().open.contains(v6));
}

TEST_CASE("an allocation has a limit of connections", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  s.client_sends(create_permission("5.6.7.8:1").from(over_tcp())).expect_success();
  const Endpoint relayed = s.relayed(over_tcp());
  for (int i = 0; i < 64; ++i) REQUIRE(s.peer_connects("5.6.7.8:" + std::to_string(1000 + i), relayed).id);
  CHECK_FALSE(s.peer_connects("5.6.7.8:2000", relayed).id);
  for (int i = 0; i < 192; ++i) {  // and these are the client's own
    const std::string peer = "5.6.7.8:" + std::to_string(3000 + i);
    s.connection_ends_up(true, s.client_sends(connect(peer).from(over_tcp()))).expect_success();
  }
  s.client_sends(connect("5.6.7.8:4000").from(over_tcp())).expect_error(508);
  s.advance(30s);
  CHECK(s.peer_connects("5.6.7.8:2000", relayed).id);
}

TEST_CASE("peers whose connections were bound leave room for others", "[turn][tcp]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  s.client_sends(create_permission("5.6.7.8:1").from(over_tcp())).expect_success();
  const Endpoint relayed = s.relayed(over_tcp());
  const auto connects = [&](int port) {
    return s.peer_connects("5.6.7.8:" + std::to_string(port), relayed).id;
  };
  for (int i = 0; i < 100; ++i) {
    const auto id = connects(1000 + i);
    REQUIRE(id);
    s.client_sends(bind(*id).from(over_tcp(2 + static_cast<unsigned>(i)))).expect_success();
  }
  for (int i = 0; i < 64; ++i) REQUIRE(connects(2000 + i));
  CHECK_FALSE(connects(3000));
}

TEST_CASE("a connection that cannot be offered for lack of memory is refused with 508 and closed",
          "[turn][tcp][memory]") {
  Scenario s(with_tcp());
  s.client_sends(allocate_tcp().from(over_tcp())).expect_success();
  const Outcome asked = s.client_sends(connect("5.6.7.8:80").from(over_tcp()));
  s.peers().has_no_memory = true;
  s.connection_ends_up(true, asked).expect_error(508);
  CHECK(s.peers().open.empty());
  CHECK(s.counters().out_of_memory == 1);
  s.peers().has_no_memory = false;
  s.connection_ends_up(true, s.client_sends(connect("5.6.7.8:80").from(over_tcp()))).expect_success();
}

}  // namespace
}  // namespace turnpike::turn
