// Tests limits on traffic: octets per second of an allocation, a user and the server; allocations per
// address; networks that are admitted; and networks that limits do not apply to.
#include <catch2/catch.hpp>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;

constexpr std::size_t kSize = 1000;

Octets data_of_size(std::size_t size) {
  Octets message(stun::kChannelDataHeaderSize + size, 0x61);
  store_u16(&message[0], 0x4000);
  store_u16(&message[2], static_cast<std::uint16_t>(size));
  return message;
}

void open_channel(Scenario& s, const Client& who) {
  s.client_sends(allocate().from(who)).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1").from(who)).expect_success();
}

// Returns the octets that come through in ten seconds, when ten times as much is sent, one datagram each
// millisecond.
std::size_t passed_in_ten_seconds(Scenario& s, const std::vector<Client>& from) {
  std::size_t passed = 0;
  const Octets message = data_of_size(kSize);
  for (int ms = 0; ms < 10'000; ++ms) {
    s.advance(1ms);
    for (const Client& client : from) passed += s.client_sends(message, client).to_peers.size() * kSize;
  }
  return passed;
}

bool is_within_five_percent(std::size_t passed, std::size_t limit) {
  return passed >= limit * 95 / 100 && passed <= limit * 105 / 100;
}

TEST_CASE("an allocation relays no more octets in a second than it may, within five percent",
          "[turn][limits]") {
  Setup setup;
  setup.limits.bytes_per_second_per_allocation = 100'000;
  Scenario s(setup);
  open_channel(s, client(1));
  const std::size_t passed = passed_in_ten_seconds(s, {client(1)});
  CHECK(is_within_five_percent(passed, 1'000'000));
  CHECK(s.server().counters().over_allocation_rate == 10'000 - passed / kSize);
  CHECK(s.client_sends(data_of_size(kSize)).limits_reached ==
        std::uint32_t{1} << static_cast<unsigned>(LimitKey::bytes_per_second_per_allocation));
  CHECK(s.server().list_allocations(s.now()).at(0).dropped_packets == 10'001 - passed / kSize);
}

TEST_CASE("what peers send counts for itself, and control is never dropped", "[turn][limits]") {
  Setup setup;
  setup.limits.bytes_per_second_per_allocation = 1000;
  Scenario s(setup);
  open_channel(s, client(1));
  CHECK(s.client_sends(data_of_size(kSize)).to_peers.size() == 1);
  CHECK(s.client_sends(data_of_size(kSize)).to_peers.empty());
  CHECK(s.peer_sends("5.6.7.8:1", std::string(kSize, 'x'), s.relayed(client(1))).to_clients.size() == 1);
  CHECK(s.peer_sends("5.6.7.8:1", std::string(kSize, 'x'), s.relayed(client(1))).to_clients.empty());
  for (int i = 0; i < 10; ++i) s.client_sends(refresh(600s)).expect_success();
}

TEST_CASE("a limit of less than one datagram lets whole ones through", "[turn][limits]") {
  Setup setup;
  setup.limits.bytes_per_second_per_allocation = 100;
  Scenario s(setup);
  open_channel(s, client(1));
  CHECK(s.client_sends(data_of_size(kSize)).to_peers.size() == 1);
  s.advance(9s);
  CHECK(s.client_sends(data_of_size(kSize)).to_peers.empty());
  s.advance(1s);
  CHECK(s.client_sends(data_of_size(kSize)).to_peers.size() == 1);
}

TEST_CASE("what one limit drops takes nothing from the others", "[turn][limits]") {
  Setup setup;
  setup.limits.bytes_per_second_per_allocation = 100'000;
  const bool by_user = GENERATE(false, true);
  setup.limits.bytes_per_second_per_user = by_user ? 1000 : 100'000;
  if (!by_user) setup.limits.bytes_per_second = 1000;
  Scenario s(setup);
  open_channel(s, client(1));
  std::size_t passed = 0;
  for (int i = 0; i < 1000; ++i) passed += s.client_sends(data_of_size(kSize)).to_peers.size();
  CHECK(passed < 10);
  CHECK(s.counters().over_allocation_rate == 0);
  CHECK(s.counters().over_user_rate == (by_user ? 1000 - passed : 0));
  CHECK(s.counters().over_server_rate == (by_user ? 0 : 1000 - passed));
}

TEST_CASE("all allocations of a user share what a user may relay", "[turn][limits]") {
  Setup setup;
  setup.limits.bytes_per_second_per_user = 100'000;
  Scenario s(setup);
  open_channel(s, client(1));
  open_channel(s, client(2));
  s.client_sends(allocate().as("bob", "bob's password").from(client(3))).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1").as("bob", "bob's password").from(client(3)))
      .expect_success();
  CHECK(is_within_five_percent(passed_in_ten_seconds(s, {client(1), client(2)}), 1'000'000));
  CHECK(s.client_sends(data_of_size(kSize), client(3)).to_peers.size() == 1);  // bob has his own
}

TEST_CASE("all workers share what the server may relay", "[turn][limits]") {
  Setup setup;
  setup.workers = 2;
  setup.limits.bytes_per_second = 200'000;
  Scenario s(setup);
  Client other = client(2);
  other.worker = 1;
  open_channel(s, client(1));
  open_channel(s, other);
  CHECK(is_within_five_percent(passed_in_ten_seconds(s, {client(1), other}), 2'000'000));
}

TEST_CASE("a limit that is raised applies at once", "[turn][limits]") {
  const auto key = GENERATE(&Limits::bytes_per_second, &Limits::bytes_per_second_per_user,
                            &Limits::bytes_per_second_per_allocation);
  Setup setup;
  setup.limits.*key = 10;
  Scenario s(setup);
  open_channel(s, client(1));
  CHECK(s.client_sends(data_of_size(kSize)).to_peers.size() == 1);  // a hundred seconds of it
  CHECK(s.client_sends(data_of_size(kSize)).to_peers.empty());
  setup.limits.*key = 10 << 20;
  s.settings_become(setup.auth, setup.limits);
  CHECK(s.client_sends(data_of_size(kSize)).to_peers.size() == 1);
  CHECK(is_within_five_percent(passed_in_ten_seconds(s, {client(1)}), 10 * kSize * 1000));
}

TEST_CASE("credit from a high limit is not used when the limit is low", "[turn][limits]") {
  Setup setup;
  setup.limits.bytes_per_second = 100 << 20;
  Scenario s(setup);
  open_channel(s, client(1));
  CHECK(s.client_sends(data_of_size(kSize)).to_peers.size() == 1);
  setup.limits.bytes_per_second = 10'000;
  s.settings_become(setup.auth, setup.limits);
  CHECK(is_within_five_percent(passed_in_ten_seconds(s, {client(1)}), 100'000));
}

TEST_CASE("a share of a limit that changes each second does not let more pass", "[turn][limits]") {
  ByteBudget budget;
  SteadyTime now(24h);
  std::size_t passed = 0;
  for (int ms = 0; ms < 20'000; ++ms) {
    now += 1ms;
    const std::uint32_t per_second = ms / 1000 % 2 == 0 ? 100'000 : 200'000;
    for (int i = 0; i < 3; ++i) passed += budget.take(100, per_second, now) ? 100 : 0;
  }
  CHECK(is_within_five_percent(passed, 3'000'000));
}

TEST_CASE("one address has a limit of allocations, for all its users together", "[turn][limits]") {
  Setup setup;
  setup.limits.allocations_per_address = 2;
  const bool is_exempt = GENERATE(false, true);
  if (is_exempt) setup.clients.exempt = {{address("198.51.100.0"), 24}};
  Scenario s(setup);
  Client behind = client(1);
  for (std::uint16_t port = 1000; port < 1002; ++port) {
    behind.tuple.client.port = port;
    s.client_sends(allocate().from(behind)).expect_success();
  }
  behind.tuple.client.port = 1002;
  const RequestMaker third = allocate().as("bob", "bob's password").from(behind);
  if (is_exempt) {
    s.client_sends(third).expect_success();
  } else {
    s.client_sends(third).expect_error(486).expect_limit_met(LimitKey::allocations_per_address);
    s.client_sends(allocate().from(client(2))).expect_success();
    behind.tuple.client.port = 1000;
    s.client_sends(refresh(0s).from(behind)).expect_success();
    behind.tuple.client.port = 1002;
    s.client_sends(third).expect_success();
  }
}

TEST_CASE("the addresses of one IPv6 network (/64) have so many allocations together", "[turn][limits]") {
  Setup setup;
  setup.limits.allocations_per_address = 1;
  Scenario s(setup);
  Client who = client(1);
  who.tuple.server = endpoint("[2001:db8::1]:3478");
  who.tuple.client = endpoint("[2001:db8:0:1::9]:4000");
  s.client_sends(allocate().from(who)).expect_success();
  who.tuple.client = endpoint("[2001:db8:0:1:8000::9]:4000");
  s.client_sends(allocate().from(who)).expect_error(486);
  who.tuple.client = endpoint("[2001:db8:0:2::9]:4000");
  s.client_sends(allocate().from(who)).expect_success();
}

TEST_CASE("a client from a denied network is refused, and its allocations end at a reload",
          "[turn][clients]") {
  Setup setup;
  setup.clients.deny = {{address("198.51.100.2"), 32}};
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  s.client_sends(binding().from(client(2))).expect_error(403);
  s.client_sends(allocate().from(client(2)).unsigned_by_anybody()).expect_error(403);
  s.client_sends(send("203.0.113.9:9000", "hello").from(client(2))).expect_silence();
  CHECK(s.server().counters().client_denied == 3);
  CHECK(s.server().counters().peers_denied == 0);
  const ClientPolicy next({.allow = {}, .deny = {{address("198.51.100.0"), 24}}, .exempt = {}});
  const Outcome ended = s.clients_become(next);
  ended.expect_expired();
  CHECK(ended.lifetimes.at(0).reason == EndReason::client_denied);
}

TEST_CASE("who is exempt is answered however often it asks or fails, and others are not", "[turn][clients]") {
  Setup setup;
  setup.clients.exempt = {{address("198.51.100.2"), 32}};
  setup.limits.unauthenticated_per_second = 1;
  setup.limits.bindings_per_second = 1;
  setup.limits.failures_per_second = 1;
  const std::size_t often = 50;
  Scenario s(setup);
  for (const unsigned n : {1U, 2U}) {
    s.nonce_of(client(n));
    s.advance(10s);
    std::size_t challenges = 0;
    std::size_t bindings = 0;
    std::size_t failures = 0;
    for (std::size_t i = 0; i < often; ++i) {
      failures += s.client_sends(allocate().password("guess").from(client(n))).to_clients.size();
      challenges += s.client_sends(allocate().unsigned_by_anybody().from(client(n))).to_clients.size();
      bindings += s.client_sends(binding().from(client(n))).to_clients.size();
    }
    CAPTURE(n);
    CHECK((challenges == often) == (n == 2));
    CHECK((bindings == often) == (n == 2));
    CHECK((failures == often) == (n == 2));
  }
}

TEST_CASE("networks of clients are allowed and denied, and the longest prefix decides", "[turn][clients]") {
  const ClientPolicy policy({.allow = {{address("10.0.0.0"), 8}, {address("10.1.2.0"), 24}},
                             .deny = {{address("10.1.0.0"), 16}},
                             .exempt = {{address("2001:db8::"), 32}}});
  CHECK(policy.admits(address("10.9.9.9")));
  CHECK_FALSE(policy.admits(address("10.1.9.9")));
  CHECK(policy.admits(address("10.1.2.9")));
  CHECK_FALSE(policy.admits(address("192.0.2.1")));
  CHECK_FALSE(policy.admits(address("2001:db8::1")));
  CHECK(policy.admits(address("::ffff:10.9.9.9")));
  CHECK(policy.is_exempt(address("2001:db8::1")));
  CHECK_FALSE(policy.is_exempt(address("10.9.9.9")));
  const ClientPolicy nothing({});
  CHECK(nothing.admits(address("192.0.2.1")));
  CHECK_FALSE(nothing.is_exempt(address("192.0.2.1")));
}

TEST_CASE("with strict expiry an allocation ends with the credentials that it was made with",
          "[turn][limits]") {
  Setup setup;
  setup.auth.secrets = {"north star"};
  setup.auth.strict_expiry = GENERATE(false, true);
  setup.limits.allocation_age = GENERATE(0s, 3600s);  // no age is reached here
  Scenario s(setup);
  RequestMaker request = allocate();
  s.advance(400ms);  // REST names have whole seconds, and clocks have not
  s.client_sends(with_rest_name(request, "north star", "ann", s.now().wall + 300s))
      .expect_success()
      .expect_lifetime(setup.auth.strict_expiry ? 299s : 600s);
  const Outcome later = s.advance(300s);
  if (setup.auth.strict_expiry) {
    later.expect_expired();
    CHECK(later.lifetimes.at(0).reason == EndReason::credentials_expired);
  } else {
    later.expect_no_event();
  }
}

TEST_CASE("a client that asks for no family gets the operator's default", "[turn]") {
  Setup setup;
  const auto [by_default, from_v6, expected] = GENERATE(table<DefaultFamily, bool, Family>({
      {DefaultFamily::ipv4, true, Family::ipv4},
      {DefaultFamily::ipv6, false, Family::ipv6},
      {DefaultFamily::client, false, Family::ipv4},
      {DefaultFamily::client, true, Family::ipv6},
  }));
  setup.default_family = by_default;
  Scenario s(setup);
  Client who = client(1);
  if (from_v6) {
    who.tuple.client = endpoint("[2001:db8::9]:4000");
    who.tuple.server = endpoint("[2001:db8::1]:3478");
  }
  s.client_sends(allocate().from(who)).expect_success();
  CHECK(s.relayed(who).family() == expected);
}

TEST_CASE("the client's family is that of the address inside, and IPv4 where relays have no such family",
          "[turn]") {
  Setup setup;
  setup.default_family = DefaultFamily::client;
  const auto [has_v6, from] = GENERATE(table<bool, std::string_view>({
      {true, "[::ffff:198.51.100.9]:4000"},
      {false, "[2001:db8::9]:4000"},
  }));
  if (!has_v6) setup.relays.v6.reset();
  Scenario s(setup);
  Client who = client(1);
  who.tuple.client = endpoint(from);
  who.tuple.server = endpoint("[2001:db8::1]:3478");
  s.client_sends(allocate().from(who)).expect_success();
  CHECK(s.relayed(who).family() == Family::ipv4);
}

}  // namespace
}  // namespace turnpike::turn
