// Tests that expiry looks only at what is due, and that no call does more than its share of the work. The
// tests count this work in entries that were examined.
#include <catch2/catch.hpp>
#include <string>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;

Setup without_limits() {
  Setup setup;
  setup.limits.permissions_per_allocation = 0;
  setup.limits.channels_per_allocation = 0;
  setup.tcp_relay = true;
  return setup;
}

// Sends CreatePermission for `count` addresses from `first` on, as many as fit into each datagram.
void permit(Scenario& s, std::uint32_t first, std::uint32_t count, int line = __builtin_LINE()) {
  constexpr std::uint32_t kPerRequest = 5000;
  for (std::uint32_t done = 0; done < count;) {
    RequestMaker request(stun::Method::create_permission);
    for (std::uint32_t i = 0; i < kPerRequest && done < count; ++i) request.peer(peer_number(first + done++));
    s.client_sends(request, line).expect_success();
  }
}

constexpr std::uint32_t kMany = 20'000;

TEST_CASE("ChannelBind and CreatePermission do not look at permissions that are not due", "[turn][expiry]") {
  Setup setup = without_limits();
  const bool with_limit = GENERATE(false, true);
  if (with_limit) setup.limits.permissions_per_allocation = 2 * kMany;
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  permit(s, 0, kMany);
  const std::uint64_t before = s.counters().expiry_steps;
  for (std::uint16_t i = 0; i < 100; ++i) {
    s.client_sends(channel_bind(static_cast<std::uint16_t>(0x4000 + i), peer_number(i).to_string()))
        .expect_success();
    s.client_sends(create_permission(peer_number(kMany + i).to_string())).expect_success();
  }
  CHECK(s.counters().expiry_steps == before);
}

TEST_CASE("staggered expiries look at what is due among many", "[turn][expiry]") {
  Scenario s(without_limits());
  s.client_sends(allocate()).expect_success();
  for (std::uint32_t i = 0; i < 100; ++i) {
    permit(s, i, 1);
    s.advance(100ms);
  }
  s.advance(200s);
  permit(s, 1000, kMany);
  const std::uint64_t before = s.counters().expiry_steps;
  s.advance(100s);  // the first 100 expire, each at a time of its own
  const std::uint64_t steps = s.counters().expiry_steps - before;
  CHECK(steps >= 100);
  CHECK(steps <= 3 * 100);
  s.peer_sends(peer_number(1).to_string(), "x").expect_silence();
  s.peer_sends(peer_number(1000).to_string(), "x").expect_data_from(peer_number(1000).to_string(), "x");
}

TEST_CASE("when very many permissions expire together, each call removes some", "[turn][expiry]") {
  Scenario s(without_limits());
  s.client_sends(allocate().lifetime(3600s)).expect_success();
  permit(s, 0, kMany);
  s.advance(299s);
  CHECK(s.most_wakes() <= 1);
  const std::uint64_t before = s.counters().expiry_steps;
  s.advance(1s);
  CHECK(s.most_wakes() >= 8);
  CHECK(s.counters().expiry_steps - before < kMany + 64);
  s.peer_sends(peer_number(1).to_string(), "x").expect_silence();
}

TEST_CASE("expired entries that are not removed yet count as absent", "[turn][expiry]") {
  Scenario s(without_limits());
  s.client_sends(allocate().lifetime(3600s)).expect_success();
  permit(s, 0, kMany);
  s.client_sends(channel_bind(0x4000, "20.0.0.1:7")).expect_success();
  s.advance_asleep(300s);
  s.peer_sends(peer_number(kMany - 1).to_string(), "x").expect_silence();
  s.client_sends(send(peer_number(kMany - 1).to_string(), "x")).expect_silence();
  s.client_sends(channel_data(0x4000, "x")).expect_silence();
  s.advance_asleep(300s);
  // The channel has expired too: its number is free for another peer, and its peer for another number.
  s.client_sends(channel_bind(0x4000, "20.0.0.2:7")).expect_success();
  s.client_sends(channel_bind(0x4001, "20.0.0.1:7")).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_sent("20.0.0.2:7", "x");
  s.client_sends(channel_data(0x4001, "x")).expect_sent("20.0.0.1:7", "x");
  s.peer_sends("20.0.0.1:7", "x").expect_channel_data(0x4001, "x");
}

TEST_CASE("an allocation with very many permissions is removed in steps", "[turn][expiry]") {
  Scenario s(without_limits());
  s.client_sends(allocate()).expect_success();
  permit(s, 0, kMany);
  SECTION("by Refresh") {
    s.client_sends(refresh(0s)).expect_success();
    s.expect_no_allocation();
    CHECK(s.next_deadline() < s.now().steady);
  }
  SECTION("by expiry") {
    s.advance(300s);  // the permissions
    permit(s, 0, kMany);
    s.advance_asleep(300s);
  }
  s.advance(1s);
  s.expect_no_allocation();
  CHECK(s.most_wakes() >= 8);
  CHECK(s.next_deadline() == SteadyTime::max());
}

TEST_CASE("a family with very many permissions is removed in steps", "[turn][expiry]") {
  Scenario s(without_limits());
  s.client_sends(allocate().additional_family(Family::ipv6)).expect_success();
  permit(s, 0, kMany);
  s.client_sends(create_permission("[2a00::1]:1")).expect_success();
  s.client_sends(refresh(0s).family(Family::ipv4)).expect_success();
  CHECK(s.next_deadline() < s.now().steady);
  s.advance(1s);
  CHECK(s.most_wakes() >= 8);
  s.client_sends(send("[2a00::1]:1", "x")).expect_sent("[2a00::1]:1", "x");
}

TEST_CASE("an allocation that has expired counts as absent before it is removed", "[turn][expiry]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(create_permission("5.6.7.8:1")).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  s.advance(400s);
  s.client_sends(create_permission("5.6.7.8:1")).expect_success();
  s.advance_asleep(200s);
  SECTION("to peers") { s.peer_sends("5.6.7.8:1", "x").expect_silence(); }
  SECTION("to ChannelData") { s.client_sends(channel_data(0x4000, "x")).expect_silence(); }
  SECTION("to Send") { s.client_sends(send("5.6.7.8:1", "x")).expect_silence(); }
  SECTION("to Refresh") { s.client_sends(refresh(600s)).expect_error(437); }
  SECTION("to Allocate") { s.client_sends(allocate()).expect_success(); }
}

TEST_CASE("when very many allocations expire together, each call removes some", "[turn][expiry]") {
  Scenario s;
  for (unsigned i = 1; i <= 200; ++i) s.client_sends(allocate().from(client(i))).expect_success();
  s.advance(600s);
  s.expect_no_allocation();
  CHECK(s.most_wakes() >= 3);
  CHECK(s.most_wakes() <= 8);
}

// RFC 8656 does not limit the addresses of a request. Those beyond our limit are not even examined.
TEST_CASE("a request that names far more addresses than it may is refused early", "[turn][expiry]") {
  Scenario s;  // 256 permissions
  s.client_sends(allocate()).expect_success();
  RequestMaker request(stun::Method::create_permission);
  for (std::uint32_t i = 0; i < 5000; ++i) request.peer(peer_number(i));
  // A forbidden address after all others would cause a 403 if it were examined.
  request.peer(*Endpoint::parse("10.0.0.1:1"));
  s.client_sends(request).expect_error(508);
  const auto ports_of_one_address = [](std::uint16_t count) {
    RequestMaker ports(stun::Method::create_permission);
    for (std::uint16_t i = 0; i < count; ++i)
      ports.peer({peer_number(1).address, static_cast<std::uint16_t>(1 + i)});
    return ports;
  };
  s.client_sends(ports_of_one_address(512)).expect_success();
  s.client_sends(ports_of_one_address(513)).expect_error(508);
}

// The number of a relay is a descriptor. If it were free at once, the next relay could have the same number,
// and what is still to go out through the old one would leave from another client's address.
TEST_CASE("a relay whose allocation ends is closed when the output has been carried out", "[turn][expiry]") {
  Setup setup;
  setup.auth.nonce_lifetime = 12h;  // so that no step fetches another one
  Scenario s(setup);
  const auto closing = [](const Outcome& outcome) {
    std::string text;
    for (const Endpoint& relayed : outcome.closing) text += relayed.to_string() + " ";
    return text;
  };
  const Outcome first = s.client_sends(allocate().additional_family(Family::ipv6)).expect_success();
  CHECK(first.relayed_text() == "192.0.2.1:50000 [2001:db8::1]:50000");
  CHECK(closing(first).empty());
  CHECK(closing(s.client_sends(refresh(0s).family(Family::ipv6))) == "[2001:db8::1]:50000 ");

  SECTION("with a Refresh") {
    CHECK(closing(s.client_sends(refresh(0s))) == "192.0.2.1:50000 ");
    s.client_sends(allocate()).expect_success();
    CHECK(s.relayed(client(1)).to_string() == "192.0.2.1:50000");
  }
  SECTION("with its lifetime") { CHECK(closing(s.advance(600s)) == "192.0.2.1:50000 "); }
  SECTION("with the next Allocate, which gets another port") {
    s.advance_asleep(600s);
    const Outcome next = s.client_sends(allocate()).expect_success();
    CHECK(closing(next) == "192.0.2.1:50000 ");
    CHECK(next.relayed_text() == "192.0.2.1:50001");
  }
  s.advance(600s);
}

}  // namespace
}  // namespace turnpike::turn
