// Tests changes of settings while there are allocations, and what operators see of allocations.
#include <catch2/catch.hpp>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;

auth::Params without_bob(auth::Params params) {
  std::erase_if(params.users, [](const auth::UserParams& user) { return user.name == "bob"; });
  return params;
}

TEST_CASE("a user who is removed loses his allocations, and nobody else does", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(allocate().as("bob", "bob's password").from(client(2))).expect_success();
  s.settings_become(without_bob(s.setup().auth), s.setup().limits).expect_expired();
  s.client_sends(allocate().as("bob", "bob's password").from(client(2))).expect_error(401);
  s.client_sends(refresh(600s)).expect_success();
}

TEST_CASE("a user with another password loses his allocations", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  auth::Params changed = s.setup().auth;
  changed.users.front().password = "another password";
  s.settings_become(changed, s.setup().limits).expect_expired();
  s.client_sends(allocate().as("alice", "another password")).expect_success();
}

TEST_CASE("TURN REST names stay valid when a reload changes the users", "[turn]") {
  Setup setup;
  setup.auth.secrets = {"north star"};
  Scenario s(setup);
  RequestMaker request = allocate();
  s.client_sends(with_rest_name(request, "north star", "ann", s.now().wall + 1h)).expect_success();
  s.settings_become(without_bob(s.setup().auth), s.setup().limits).expect_no_event();
}

TEST_CASE("limits that a reload has changed apply to later requests", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  Limits limits = s.setup().limits;
  limits.permissions_per_allocation = 1;
  s.client_sends(create_permission("5.6.7.8:1")).expect_success();
  s.settings_become(s.setup().auth, limits);
  s.client_sends(create_permission("5.6.7.9:1")).expect_error(508);
  s.settings_become(s.setup().auth, s.setup().limits);
  s.client_sends(create_permission("5.6.7.9:1")).expect_success();
}

TEST_CASE("a drain admits no new clients, and everything else continues", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.settings_become(s.setup().auth, s.setup().limits, true);
  s.client_sends(allocate().from(client(2))).expect_error(508);
  s.client_sends(create_permission("5.6.7.8:1")).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
  s.client_sends(refresh(600s)).expect_success();
  s.settings_become(s.setup().auth, s.setup().limits);
  s.client_sends(allocate().from(client(2))).expect_success();
}

TEST_CASE("during a drain, a client is sent to another server if there is one", "[turn]") {
  Setup setup;
  setup.alternates.servers = {{Transport::udp, endpoint("198.51.100.7:3478"), ""}};
  Scenario s(setup);
  s.settings_become(s.setup().auth, s.setup().limits, true);
  s.client_sends(allocate()).expect_error(300);
}

TEST_CASE("a reservation from before a drain can be claimed during it", "[turn]") {
  Setup setup;
  setup.alternates.servers = {{Transport::udp, endpoint("198.51.100.7:3478"), ""}};
  Scenario s(setup);
  const stun::ReservationToken token = s.client_sends(allocate().even_port(true)).expect_success().token();
  s.settings_become(s.setup().auth, s.setup().limits, true);
  s.client_sends(allocate().claiming(token).from(client(2))).expect_success();
  s.client_sends(allocate().claiming(token).from(client(3))).expect_error(508);  // it is claimed
}

TEST_CASE("an allocation is listed with what was relayed for it, and can be ended", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(allocate().from(client(2))).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  s.client_sends(channel_data(0x4000, "four")).expect_sent("5.6.7.8:1", "four");
  s.peer_sends("5.6.7.8:1", "sixsix", s.relayed(client(1)));
  s.advance(10s);
  const std::vector<AllocationInfo> list = s.server().list_allocations(s.now());
  REQUIRE(list.size() == 2);
  const AllocationInfo& one = list[list[0].tuple == client(1).tuple ? 0 : 1];
  CHECK(one.tuple == client(1).tuple);
  CHECK(one.username == "alice");
  CHECK(one.permissions == 1);
  CHECK(one.channels == 1);
  CHECK(one.age == 10s);
  CHECK(one.expires_in == 590s);
  CHECK(one.rx_packets == 1);
  CHECK(one.rx_bytes == 4);
  CHECK(one.tx_packets == 1);
  CHECK(one.tx_bytes == 6);
  Output out;
  CHECK_FALSE(s.server().end_allocation(99, s.now(), out));
  CHECK(s.server().end_allocation(one.number, s.now(), out));
  CHECK(out.lifetimes().size() == 1);
  CHECK_FALSE(s.server().end_allocation(one.number, s.now(), out));
  CHECK(s.server().list_allocations(s.now()).size() == 1);
}

TEST_CASE("answers are counted by method and code, allocations and traffic by transport", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(allocate().as("alice", "wrong").from(client(2))).expect_error(401);
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  s.client_sends(channel_data(0x4000, "four"));
  s.client_sends(refresh(0s)).expect_success();
  const Breakdown& breakdown = s.server().breakdown();
  std::uint64_t allocated = 0;
  std::uint64_t refused = 0;
  breakdown.requests.for_each([&](stun::Method method, std::uint16_t code, std::uint64_t count) {
    if (method == stun::Method::allocate && code == 0) allocated = count;
    if (method == stun::Method::allocate && code == 401) refused = count;
  });
  CHECK(allocated == 1);
  CHECK(refused >= 2);  // the first answer to each client hands it a nonce
  const TransportCounters& udp = breakdown.transports[static_cast<std::size_t>(Transport::udp)];
  CHECK(udp.created[0] == 1);
  CHECK(udp.left[0] == 1);
  CHECK(udp.present(0) == 0);
  CHECK(udp.from_clients.packets == 1);
  CHECK(udp.from_clients.bytes == 4);
  CHECK(udp.to_clients.packets == 0);
}

}  // namespace
}  // namespace turnpike::turn
