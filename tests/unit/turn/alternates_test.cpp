// 300 Try Alternate (RFC 8489 §10).
#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using stun::AttributeType;

AlternateServer other(std::string_view at, Transport transport = Transport::udp, std::string domain = {}) {
  return {transport, endpoint(at), std::move(domain)};
}

Setup with(Redirect when, std::vector<AlternateServer> servers) {
  Setup setup;
  setup.alternates = {std::move(servers), when};
  return setup;
}

std::string alternate(const Outcome& outcome) {
  outcome.expect_error(300);
  const auto address = outcome.find(AttributeType::alternate_server);
  REQUIRE(address);
  const auto domain = outcome.find(AttributeType::alternate_domain);
  return stun::decode_address(*address).value().to_string() +
         (domain ? ' ' + std::string(as_text(*domain)) : "");
}

TEST_CASE("with `always`, every authenticated client is redirected", "[turn][alternate]") {
  Scenario s(with(Redirect::always, {other("198.51.100.8:3478")}));
  s.client_sends(allocate().unsigned_by_anybody()).expect_error(401);
  s.client_sends(allocate().password("guess")).expect_error(401);
  s.client_sends(request(stun::Method::allocate)).expect_error(400);
  s.client_sends(refresh()).expect_error(437);
  s.client_sends(binding()).expect_success();
  const Outcome outcome = s.client_sends(allocate());
  CHECK(alternate(outcome) == "198.51.100.8:3478");
  outcome.signed_by_server();
  REQUIRE(outcome.refusals.size() == 1);
  CHECK(alternate(s.client_sends(allocate().sha256().fingerprint())) == "198.51.100.8:3478");
  CHECK(s.counters().redirects == 2);
  s.expect_no_allocation();
}

TEST_CASE("a client is sent to a server with its own transport and family", "[turn][alternate]") {
  Scenario s(with(Redirect::always, {other("[2001:db8::8]:3478"), other("198.51.100.8:3478", Transport::tcp),
                                     other("198.51.100.8:5349", Transport::tls, "b.example.org")}));
  s.client_sends(allocate()).expect_success();  // nothing by UDP and IPv4
  CHECK(alternate(s.client_sends(allocate().from(client_on(Transport::tcp, 2)))) == "198.51.100.8:3478");
  CHECK(alternate(s.client_sends(allocate().from(client_on(Transport::tls, 3)))) ==
        "198.51.100.8:5349 b.example.org");
  Client six = client(4);
  six.tuple.client = endpoint("[2001:db8::77]:5000");
  six.tuple.server = endpoint("[2001:db8::1]:3478");
  // The family of the client's own address counts, not the family of the relayed address.
  CHECK(alternate(s.client_sends(allocate().from(six))) == "[2001:db8::8]:3478");
  s.client_sends(allocate().family(Family::ipv6).from(client(5))).expect_success();
}

TEST_CASE("clients are sent to all of several servers", "[turn][alternate]") {
  Scenario s(with(Redirect::always, {other("198.51.100.8:1"), other("[2001:db8::8]:3478"),
                                     other("198.51.100.8:2"), other("198.51.100.8:3")}));
  std::set<std::string> seen;
  for (int i = 0; i < 60; ++i) seen.insert(alternate(s.client_sends(allocate())));
  CHECK(seen == std::set<std::string>{"198.51.100.8:1", "198.51.100.8:2", "198.51.100.8:3"});
}

TEST_CASE("with `full`, clients are redirected only when ports or places are missing", "[turn][alternate]") {
  Setup setup = with(Redirect::full, {other("198.51.100.8:3478")});
  SECTION("the limit of all allocations") {
    setup.limits.allocations = 1;
    Scenario s(setup);
    s.client_sends(allocate().from(client(1))).expect_success();
    CHECK(alternate(s.client_sends(allocate().from(client(2)))) == "198.51.100.8:3478");
    s.client_sends(allocate().from(client(1))).expect_error(437);
    s.client_sends(refresh().from(client(1))).expect_success();
    s.client_sends(refresh(0s).from(client(1))).expect_success();
    s.client_sends(allocate().from(client(2))).expect_success();
  }
  SECTION("a user's own limit is the user's own affair") {
    setup.limits.allocations = 2;
    setup.limits.allocations_per_user = 1;
    Scenario s(setup);
    s.client_sends(allocate().from(client(1))).expect_success();
    s.client_sends(allocate().from(client(2))).expect_error(486);
    s.client_sends(allocate().as("bob").from(client(2))).expect_success();
    s.client_sends(allocate().from(client(3))).expect_error(486);  // both limits
  }
  SECTION("so is the limit of an address") {
    setup.limits.allocations_per_address = 1;
    Scenario s(setup);
    Client neighbour = client(1);
    neighbour.tuple.client.port = 1000;
    s.client_sends(allocate().from(client(1))).expect_success();
    s.client_sends(allocate().from(neighbour)).expect_error(486);
  }
  SECTION("ports") {
    setup.relays.first_port = 50000;
    setup.relays.last_port = 50001;
    Scenario s(setup);
    s.client_sends(allocate().from(client(1))).expect_success();
    s.client_sends(allocate().from(client(2))).expect_success();
    CHECK(alternate(s.client_sends(allocate().from(client(3)))) == "198.51.100.8:3478");
    s.client_sends(allocate().claiming({1, 2}).from(client(3))).expect_error(508);  // is not there either
    // An allocation with one of two families is better than another server.
    s.client_sends(allocate().additional_family(Family::ipv6).from(client(3))).expect_success();
    CHECK(s.counters().redirects == 1);
  }
  SECTION("a family that is not here is not to be had there") {
    setup.relays.v6.reset();
    Scenario s(setup);
    s.client_sends(allocate().family(Family::ipv6)).expect_error(440);
  }
  SECTION("nobody else is there") {
    setup.alternates.servers = {other("[2001:db8::8]:3478")};
    setup.limits.allocations = 1;
    Scenario s(setup);
    s.client_sends(allocate().from(client(1))).expect_success();
    s.client_sends(allocate().from(client(2))).expect_error(486);
  }
}

}  // namespace
}  // namespace turnpike::turn
