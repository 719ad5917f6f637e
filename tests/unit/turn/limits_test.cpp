// How much a client may hold: the default limits, clients that they do not apply to, and that a client or the
// operator can learn which limit was reached.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;

Setup with_secret() {
  Setup setup;
  setup.auth.secrets = {"north"};
  setup.limits.allocations_per_user = 3;
  return setup;
}

// Clients with numbers from `first_client` on ask for four allocations under this name. Returns how many they
// get.
unsigned allocations_of(Scenario& s, std::string_view rest_user, unsigned first_client) {
  unsigned got = 0;
  for (unsigned i = 0; i < 4; ++i) {
    RequestMaker request = allocate();
    request.from(client(first_client + i));
    const Outcome outcome = s.client_sends(with_rest_name(request, "north", rest_user, s.now().wall + 1h));
    if (outcome.answer().message_class() == stun::Class::success) {
      ++got;
    } else {
      outcome.expect_error(486).expect_limit_met(LimitKey::allocations_per_user);
    }
  }
  return got;
}

TEST_CASE("the default limits do not affect browsers", "[turn][limits]") {
  const Limits limits;
  CHECK(limits.permissions_per_allocation == 256);
  CHECK(limits.channels_per_allocation == 256);
  CHECK(limits.allocations_per_user == 1000);
  CHECK_FALSE(limits.counts_shared_names);
}

TEST_CASE("an allocation has 256 permissions by default, and the key is named", "[turn][limits]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  for (std::uint32_t i = 0; i < 256; ++i) {
    s.client_sends(create_permission(peer_number(i).to_string())).expect_success();
  }
  s.client_sends(create_permission(peer_number(256).to_string()))
      .expect_error(508)
      .expect_limit_met(LimitKey::permissions_per_allocation);
  s.client_sends(channel_bind(0x4000, peer_number(256).to_string()))
      .expect_error(508)
      .expect_limit_met(LimitKey::permissions_per_allocation);
  CHECK(s.client_sends(create_permission(peer_number(255).to_string())).expect_success().limits_reached == 0);
  s.advance(300s);
  s.client_sends(create_permission(peer_number(256).to_string())).expect_success();
}

TEST_CASE("an allocation has 256 channels by default, and the key is named", "[turn][limits]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  const auto peer = [](std::uint16_t i) { return "20.0.0.1:" + std::to_string(1 + i); };
  for (std::uint16_t i = 0; i < 256; ++i) {
    s.client_sends(channel_bind(static_cast<std::uint16_t>(0x4000 + i), peer(i))).expect_success();
  }
  s.client_sends(channel_bind(0x4100, peer(256)))
      .expect_error(508)
      .expect_limit_met(LimitKey::channels_per_allocation);
  s.client_sends(channel_bind(0x4000, peer(0))).expect_success();
}

TEST_CASE("a channel that has expired leaves its place to another, even before it is removed",
          "[turn][limits]") {
  Setup setup;
  setup.limits.channels_per_allocation = 1;
  setup.limits.permissions_per_allocation = 1;
  Scenario s(setup);
  s.client_sends(allocate().lifetime(3600s)).expect_success();
  s.client_sends(channel_bind(0x4000, "20.0.0.1:1")).expect_success();
  s.client_sends(channel_bind(0x4001, "20.0.0.1:2")).expect_error(508);
  s.advance_asleep(600s);
  s.client_sends(channel_bind(0x4001, "20.0.0.2:1")).expect_success();
  s.client_sends(channel_data(0x4001, "x")).expect_sent("20.0.0.2:1", "x");
}

TEST_CASE("by default, the limit of a user does not apply to names that many share", "[turn][limits]") {
  Setup setup = with_secret();
  const bool written = GENERATE(false, true);
  setup.limits.counts_shared_names = written;
  Scenario s(setup);
  for (unsigned i = 1; i <= 3; ++i) s.client_sends(allocate().from(client(i))).expect_success();
  if (written) {
    s.client_sends(allocate().from(client(4)))
        .expect_error(486)
        .expect_limit_met(LimitKey::allocations_per_user);
  } else {
    s.client_sends(allocate().from(client(4))).expect_success();
  }
  CHECK(allocations_of(s, "", 100) == (written ? 3 : 4));  // a time stamp alone
  CHECK(allocations_of(s, "guest-0a1b2c3d4e5f", 200) == (written ? 3 : 4));
  CHECK(allocations_of(s, "carol", 300) == 3);
}

TEST_CASE("each refusal because of a limit is counted under its key", "[turn][limits]") {
  Setup setup = with_secret();
  setup.limits.allocations = 4;
  setup.limits.allocations_per_user = 2;
  setup.limits.allocations_per_address = 3;
  setup.limits.permissions_per_allocation = 1;
  setup.limits.channels_per_allocation = 1;
  Scenario s(setup);
  const auto ask = [&](const Client& from, std::string_view user) {
    RequestMaker request = allocate();
    request.from(from);
    return s.client_sends(with_rest_name(request, "north", user, s.now().wall + 1h));
  };
  const auto same_address = [](std::uint16_t port) {
    Client one = client(1);
    one.tuple.client.port = port;
    return one;
  };
  for (std::uint16_t port = 1; port <= 2; ++port) ask(same_address(port), "ann").expect_success();
  ask(same_address(3), "ann").expect_error(486);
  ask(same_address(3), "bob").expect_success();
  ask(same_address(4), "bob").expect_error(486);
  ask(client(2), "bob").expect_success();
  ask(client(3), "carol").expect_error(486);
  ask(client(3), "carol").expect_error(486);
  CHECK(s.counters().over_allocations_of_user == 1);
  CHECK(s.counters().over_allocations_of_address == 1);
  CHECK(s.counters().over_allocations == 2);

  const auto with_name = [&](RequestMaker request) {
    request.from(client(2));
    return with_rest_name(request, "north", "bob", s.now().wall + 1h);
  };
  s.client_sends(with_name(channel_bind(0x4000, "20.0.0.1:1"))).expect_success();
  s.client_sends(with_name(channel_bind(0x4001, "20.0.0.1:2"))).expect_error(508);
  s.client_sends(with_name(create_permission("20.0.0.2:1"))).expect_error(508);
  s.client_sends(with_name(create_permission("127.0.0.1:1"))).expect_error(403);
  CHECK(s.counters().over_channels == 1);
  CHECK(s.counters().over_permissions == 1);
  CHECK(s.counters().peers_denied == 1);
  CHECK(s.counters().client_denied == 0);
}

TEST_CASE("the limit of all allocations is reported too", "[turn][limits]") {
  Setup setup;
  setup.limits.allocations = 1;
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  s.client_sends(allocate().from(client(2))).expect_error(486).expect_limit_met(LimitKey::allocations);
}

Setup with_peer_connections(std::uint32_t total, std::uint32_t per_user) {
  Setup setup;
  setup.tcp_relay = true;
  setup.limits.peer_connections = total;
  setup.limits.peer_connections_per_user = per_user;
  return setup;
}

TEST_CASE("connections with peers count for the user and for the server, whichever allocation they are of",
          "[turn][limits][tcp]") {
  const bool by_user = GENERATE(true, false);
  Scenario s(by_user ? with_peer_connections(100, 3) : with_peer_connections(3, 100));
  const LimitKey key = by_user ? LimitKey::peer_connections_per_user : LimitKey::peer_connections;
  for (unsigned n = 1; n <= 2; ++n) {
    s.client_sends(allocate_tcp().from(over_tcp(n))).expect_success();
    s.client_sends(create_permission("5.6.7.8:80").from(over_tcp(n))).expect_success();
  }
  s.client_sends(connect("5.6.7.8:80").from(over_tcp(1))).expect_silence();
  s.client_sends(connect("5.6.7.8:81").from(over_tcp(2))).expect_silence();
  const Scenario::Accepted accepted = s.peer_connects("5.6.7.8:82", s.relayed(over_tcp(2)));
  REQUIRE(accepted.id);
  CHECK(s.connection_quota().in_use() == 3);

  s.client_sends(connect("5.6.7.8:83").from(over_tcp(1))).expect_error(508).expect_limit_met(key);
  const Scenario::Accepted refused = s.peer_connects("5.6.7.8:84", s.relayed(over_tcp(1)));
  CHECK_FALSE(refused.id);
  refused.outcome.expect_limit_met(key);
  CHECK(s.counters().over_connections_of_user == (by_user ? 2 : 0));
  CHECK(s.counters().over_connections == (by_user ? 0 : 2));

  s.peer_closes(*accepted.id);
  CHECK(s.connection_quota().in_use() == 2);
  s.client_sends(connect("5.6.7.8:83").from(over_tcp(1))).expect_silence();
  s.client_sends(refresh(0s).from(over_tcp(2))).expect_success();
  CHECK(s.connection_quota().in_use() == 2);
  s.client_sends(refresh(0s).from(over_tcp(1))).expect_success();
  CHECK(s.connection_quota().in_use() == 0);
}

TEST_CASE("another user has connections of its own", "[turn][limits][tcp]") {
  Scenario s(with_peer_connections(0, 1));
  s.client_sends(allocate_tcp().from(over_tcp(1))).expect_success();
  s.client_sends(allocate_tcp().from(over_tcp(2)).as("bob")).expect_success();
  s.client_sends(connect("5.6.7.8:80").from(over_tcp(1))).expect_silence();
  s.client_sends(connect("5.6.7.8:80").from(over_tcp(2)).as("bob")).expect_silence();
  s.client_sends(connect("5.6.7.8:81").from(over_tcp(2)).as("bob")).expect_error(508);
}

}  // namespace
}  // namespace turnpike::turn
