// Tests changes of the policy while there are allocations: what it no longer allows ends, and what it allows
// continues.
#include <catch2/catch.hpp>
#include <string>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;

PeerPolicy::Params denying(PeerPolicy::Params params, std::string_view address, std::uint8_t length) {
  params.peers.deny.push_back({test::address(address), length});
  return params;
}

PeerPolicy::Params allowing(PeerPolicy::Params params, std::string_view address, std::uint8_t length) {
  params.peers.allow.push_back({test::address(address), length});
  return params;
}

PeerPolicy::Params with_own(PeerPolicy::Params params, std::string_view address) {
  params.own_addresses.push_back(test::address(address));
  return params;
}

TEST_CASE("a new policy ends what it no longer allows, and nothing else", "[turn]") {
  Setup setup;
  setup.workers = 2;
  Scenario s(setup);
  for (const unsigned n : {0u, 1u}) {
    CAPTURE(n);
    const Client c = client(n + 1, n);
    s.client_sends(allocate().from(c)).expect_success();
    s.client_sends(create_permission("5.6.7.8:0").peer("9.9.9.9:0").from(c)).expect_success();
    s.client_sends(channel_bind(0x4000, "5.6.7.9:1").from(c)).expect_success();
    s.client_sends(channel_bind(0x4001, "9.9.9.10:1").from(c)).expect_success();
  }
  s.policy_becomes(denying(s.policy(), "5.6.7.0", 24)).expect_silence().expect_no_event();
  for (const unsigned n : {0u, 1u}) {
    CAPTURE(n);
    const Client c = client(n + 1, n);
    for (const std::string gone : {"5.6.7.8:1", "5.6.7.9:1"}) {
      s.client_sends(send(gone, "x").from(c)).expect_silence();
      s.peer_sends(gone, "x", s.relayed(c)).expect_silence();
      s.client_sends(create_permission(gone).from(c)).expect_error(403);
    }
    s.client_sends(channel_data(0x4000, "x"), c).expect_silence();
    s.client_sends(send("9.9.9.9:1", "x").from(c)).expect_sent("9.9.9.9:1", "x");
    s.client_sends(channel_data(0x4001, "x"), c).expect_sent("9.9.9.10:1", "x");
    s.peer_sends("9.9.9.10:1", "y", s.relayed(c)).expect_channel_data(0x4001, "y");
    s.client_sends(channel_bind(0x4000, "9.9.9.9:1").from(c)).expect_success();  // the number is free
  }
  s.advance(600s).expect_expired(2);
}

TEST_CASE("a channel without a permission ends too when the policy no longer allows its peer", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  s.advance(400s);
  s.client_sends(channel_bind(0x4000, "9.9.9.9:1")).expect_error(400);
  s.policy_becomes(denying(s.policy(), "5.6.7.8", 32));
  s.client_sends(channel_bind(0x4000, "9.9.9.9:1")).expect_success();
}

TEST_CASE("a policy that opens more applies from the next request on", "[turn]") {
  Scenario s;
  const PeerPolicy::Params before = s.policy();
  s.client_sends(allocate()).expect_success();
  s.client_sends(create_permission("10.0.0.1:0")).expect_error(403);
  s.policy_becomes(allowing(before, "10.0.0.0", 8));
  s.client_sends(send("10.0.0.1:1", "x")).expect_silence();
  s.client_sends(create_permission("10.0.0.1:0")).expect_success();
  s.client_sends(send("10.0.0.1:1", "x")).expect_sent("10.0.0.1:1", "x");
  s.policy_becomes(before);
  s.client_sends(send("10.0.0.1:1", "x")).expect_silence();
  s.policy_becomes(allowing(before, "10.0.0.0", 8));  // what has ended does not come back
  s.client_sends(send("10.0.0.1:1", "x")).expect_silence();
}

TEST_CASE("a policy may open or close an own address", "[turn]") {
  Scenario s;
  const PeerPolicy::Params before = s.policy();
  s.client_sends(allocate()).expect_success();
  s.client_sends(allocate().from(client(2))).expect_success();
  const std::string own = s.relayed(client(1)).to_string();
  const std::string other = s.relayed(client(2)).to_string();
  s.client_sends(create_permission(own).from(client(2))).expect_success();
  s.client_sends(channel_bind(0x4000, "192.0.2.1:9")).expect_success();
  s.client_sends(channel_bind(0x4001, other)).expect_success();
  const auto expect_open = [&](bool open) {
    const Outcome by_channel = s.client_sends(channel_data(0x4000, "x"));
    const Outcome by_permission = s.client_sends(send("192.0.2.1:10", "x"));
    const Outcome back = s.peer_sends("192.0.2.1:9", "y");
    if (open) {
      by_channel.expect_sent("192.0.2.1:9", "x");
      by_permission.expect_sent("192.0.2.1:10", "x");
      back.expect_channel_data(0x4000, "y");
    } else {
      by_channel.expect_silence();
      by_permission.expect_silence();
      back.expect_silence();
    }
    s.client_sends(channel_data(0x4001, "x")).expect_data_from(own, "x").expect_to(client(2));
    s.client_sends(send("192.0.2.1:3478", "x")).expect_silence();
  };
  expect_open(false);
  s.policy_becomes(allowing(before, "192.0.2.1", 32));
  expect_open(true);
  s.policy_becomes(before);
  expect_open(false);
}

TEST_CASE("an address that becomes this machine's is no way to its services", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(create_permission("5.6.7.8:0")).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:22")).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:22", "x");
  s.policy_becomes(with_own(s.policy(), "5.6.7.8"));
  s.client_sends(channel_data(0x4000, "x")).expect_silence();
  s.client_sends(send("5.6.7.8:22", "x")).expect_silence();
  s.peer_sends("5.6.7.8:22", "y").expect_silence();
  s.peer_sends("5.6.7.8:23", "y").expect_silence();
  s.client_sends(create_permission("5.6.7.8:0")).expect_success();
  s.client_sends(send("5.6.7.8:22", "x")).expect_silence();
}

TEST_CASE("an address that is no longer this machine's is a peer like any other", "[turn]") {
  Scenario s;
  const PeerPolicy::Params before = s.policy();
  s.policy_becomes(with_own(before, "5.6.7.8"));
  s.client_sends(allocate()).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:22")).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_silence();
  s.policy_becomes(before);
  s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:22", "x");
  s.peer_sends("5.6.7.8:22", "y").expect_channel_data(0x4000, "y");
}

TEST_CASE("a wildcard listener is out of reach on an address that comes later", "[turn]") {
  Scenario s;
  PeerPolicy::Params params = allowing(s.policy(), "5.6.7.8", 32);
  params.listeners.push_back(endpoint("0.0.0.0:3478"));
  s.policy_becomes(params);
  s.client_sends(allocate()).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:3478")).expect_success();
  s.client_sends(channel_bind(0x4001, "5.6.7.8:3480")).expect_success();
  s.client_sends(send("5.6.7.8:3478", "x")).expect_sent("5.6.7.8:3478", "x");
  s.policy_becomes(with_own(params, "5.6.7.8"));
  s.client_sends(channel_data(0x4000, "x")).expect_silence();
  s.client_sends(send("5.6.7.8:3478", "x")).expect_silence();
  s.client_sends(channel_data(0x4001, "x")).expect_sent("5.6.7.8:3480", "x");
  s.client_sends(channel_bind(0x4000, "5.6.7.8:3478")).expect_error(403);
  s.client_sends(channel_bind(0x4000, "9.9.9.9:1")).expect_success();
}

TEST_CASE("connections with peers that are no longer allowed end", "[turn][tcp]") {
  Setup setup;
  setup.tcp_relay = true;
  Scenario s(setup);
  const Client alice = client_on(Transport::tcp);
  const Client data = client_on(Transport::tcp, 2);
  s.client_sends(allocate_tcp().from(alice)).expect_success();
  s.client_sends(create_permission("5.6.7.8:0").peer("9.9.9.9:0").from(alice)).expect_success();
  const Outcome bound = s.client_sends(connect("5.6.7.8:80").from(alice));
  const ConnectionId id = s.connection_ends_up(true, bound).expect_success().connection_id();
  s.client_sends(connection_bind(static_cast<std::uint32_t>(id)).from(data)).expect_success();
  CHECK(s.peer_connects("5.6.7.8:1000", s.relayed(alice)).id);
  const auto stays = s.peer_connects("9.9.9.9:1000", s.relayed(alice)).id;
  REQUIRE(stays);
  const Outcome waiting = s.client_sends(connect("5.6.7.8:81").from(alice));
  REQUIRE(s.peers().open.size() == 4);

  Outcome changed = s.policy_becomes(denying(s.policy(), "5.6.7.8", 32));
  changed.asked = waiting.asked;
  changed.expect_error(403).signed_by_server();
  CHECK(s.peers().open.size() == 1);
  CHECK(s.peers().open.contains(*stays));
  CHECK_FALSE(s.peer_connects("5.6.7.8:1001", s.relayed(alice)).id);
  s.advance(29s);
  s.client_sends(refresh(0s).from(alice)).expect_success();
}

TEST_CASE("a connection with what becomes this machine's ends, unless it is a relayed address",
          "[turn][tcp]") {
  Setup setup;
  setup.tcp_relay = true;
  Scenario s(setup);
  const Client alice = client_on(Transport::tcp);
  const Client bob = client_on(Transport::tcp, 2);
  s.client_sends(allocate_tcp().from(alice)).expect_success();
  s.client_sends(allocate_tcp().from(bob)).expect_success();
  Outcome asked = s.client_sends(connect("5.6.7.8:80").from(alice));
  const ConnectionId ends = s.connection_ends_up(true, asked).connection_id();
  asked = s.client_sends(connect(s.relayed(bob).to_string()).from(alice));
  const ConnectionId stays = s.connection_ends_up(true, asked).connection_id();
  s.policy_becomes(with_own(s.policy(), "5.6.7.8")).expect_silence();
  CHECK_FALSE(s.peers().open.contains(ends));
  CHECK(s.peers().open.contains(stays));
  s.client_sends(refresh(0s).from(alice)).expect_success();
  s.client_sends(refresh(0s).from(bob)).expect_success();
}

// --- Networks of this machine, which change with its addresses

TEST_CASE("a network that this machine comes to be in is closed to its clients", "[turn]") {
  Scenario s;
  const Prefix network{address("2a00:1:2:3::"), 64};
  s.client_sends(allocate().family(Family::ipv6)).expect_success();
  s.client_sends(create_permission("[2a00:1:2:3::6]:1").peer("[2a00:9::1]:1")).expect_success();
  PeerPolicy::Params params = s.policy();
  params.networks.push_back(network);
  s.policy_becomes(params);
  s.client_sends(send("[2a00:1:2:3::6]:1", "x")).expect_silence();
  s.client_sends(send("[2a00:9::1]:1", "x")).expect_sent("[2a00:9::1]:1", "x");

  for (const RequestMaker& request : {create_permission("[2a00:9::1]:1").peer("[2a00:1:2:3::6]:1"),
                                      channel_bind(0x4000, "[2a00:1:2:3::6]:1")}) {
    const Outcome refused = s.client_sends(request).expect_error(403);
    REQUIRE(refused.refusals.size() == 1);
    CHECK(refused.lifetimes.empty());
    CHECK(refused.refusals[0].network == network);
    CHECK(refused.refusals[0].peer == endpoint("[2a00:1:2:3::6]:1"));
  }
  const Outcome malformed = s.client_sends(channel_bind(0x3FFF, "[2a00:1:2:3::6]:1")).expect_error(400);
  REQUIRE(malformed.refusals.size() == 1);
  CHECK_FALSE(malformed.refusals[0].network);  // not the reason

  params.networks.push_back({address("2a00:4::"), 32});
  s.policy_becomes(params);
  const Outcome first =
      s.client_sends(create_permission("[2a00:1:2:3::6]:1").peer("[2a00:4::1]:1")).expect_error(403);
  REQUIRE(first.refusals.size() == 1);
  CHECK(first.refusals[0].network == network);
  const Outcome other = s.client_sends(create_permission("[fd00::1]:1")).expect_error(403);
  REQUIRE(other.refusals.size() == 1);
  CHECK(other.lifetimes.empty());
  CHECK_FALSE(other.refusals[0].network);
  CHECK(other.refusals[0].peer == endpoint("[fd00::1]:1"));

  params.networks.clear();
  s.policy_becomes(params);
  s.client_sends(create_permission("[2a00:1:2:3::6]:1")).expect_success();
}

TEST_CASE("a peer of an advertised address that is allowed gets the data", "[turn]") {
  Setup setup;
  setup.relays.v4 = address("10.0.0.5");
  setup.relays.advertise = {{address("10.0.0.5"), address("198.51.100.7")}};
  setup.peers.allow = {{address("198.51.100.7"), 32}};
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  s.client_sends(create_permission("198.51.100.7:0")).expect_success();
  s.client_sends(send("198.51.100.7:5060", "x")).expect_sent("10.0.0.5:5060", "x");
  s.peer_sends("10.0.0.5:5060", "y").expect_data_from("198.51.100.7:5060", "y");
}

}  // namespace
}  // namespace turnpike::turn
