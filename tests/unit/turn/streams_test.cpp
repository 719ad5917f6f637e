// Tests clients that use TCP or TLS. Unlike UDP, a connection ends, and nothing on it gets lost.
#include <catch2/catch.hpp>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using Kind = Output::Lifetime::Kind;

TEST_CASE("an allocation ends with its connection, and all that it held is free at once", "[turn]") {
  for (const Transport transport : {Transport::tcp, Transport::tls}) {
    CAPTURE(to_string(transport));
    Setup setup;
    setup.limits.allocations_per_user = 1;
    Scenario s(setup);
    const Client c = client_on(transport, 1);
    const Client next = client_on(transport, 2);
    s.client_sends(allocate().from(c)).expect_success();
    s.client_sends(allocate().from(next)).expect_error(486);
    const Outcome closed = s.client_closes(c).expect_silence();
    CHECK(closed.count(Kind::deleted) == 1);
    CHECK(closed.lifetimes.at(0).tuple == c.tuple);
    s.expect_no_allocation();
    s.client_sends(allocate().from(next)).expect_success();
  }
}

TEST_CASE("a connection that never had an allocation ends without a trace", "[turn]") {
  Scenario s;
  const Client c = client_on(Transport::tcp, 1);
  s.client_closes(c).expect_silence().expect_no_event();
  s.client_sends(allocate().from(client(1))).expect_success();
  s.client_closes(c).expect_silence().expect_no_event();
  CHECK(s.allocations() == 1);
}

TEST_CASE("a new connection on the same addresses has nothing of the old one", "[turn]") {
  Scenario s;
  const Client before = client_on(Transport::tcp, 1);
  Client after = before;
  after.tuple.path = PathId{2};
  s.client_sends(allocate().from(before)).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1").from(before)).expect_success();
  s.client_sends(refresh(600s).from(after)).expect_error(437);
  s.client_sends(channel_data(0x4000, "x"), after).expect_silence();
  s.client_sends(allocate().from(after)).expect_success();
  CHECK(s.allocations() == 2);
  // The end of the old connection is reported late.
  s.client_closes(before);
  CHECK(s.allocations() == 1);
  s.client_sends(refresh(600s).from(after)).expect_success();
}

TEST_CASE("on a stream, a second Allocate is a new request, whatever its transaction id is", "[turn]") {
  for (const Transport transport : {Transport::tcp, Transport::tls}) {
    Scenario s;
    const Client c = client_on(transport);
    s.client_sends(allocate().transaction(1).from(c)).expect_success();
    s.client_sends(allocate().transaction(1).from(c)).expect_error(437);
  }
  Scenario s;
  const Client c = client_on(Transport::dtls);
  s.client_sends(allocate().transaction(1).from(c)).expect_success();
  s.client_sends(allocate().transaction(1).from(c)).expect_success();
}

TEST_CASE("the relayed transport of a stream client is UDP", "[turn]") {
  Scenario s;
  const Client c = client_on(Transport::tcp);
  s.client_sends(request(stun::Method::allocate).transport(6).from(c)).expect_error(442);
  s.client_sends(allocate().from(c)).expect_success();
}

TEST_CASE("no answer is withheld from a client that has proved its address", "[turn]") {
  Setup setup;
  setup.limits.unauthenticated_per_second = 1;
  setup.limits.bindings_per_second = 1;
  Scenario s(setup);
  for (const Transport transport : {Transport::tcp, Transport::tls, Transport::dtls}) {
    for (int i = 0; i < 20; ++i) s.client_sends(binding().from(client_on(transport))).expect_success();
  }
  CHECK(s.counters().answers_withheld == 0);
  // They do not use up what the same address may have by UDP either.
  s.client_sends(binding()).expect_success();
}

}  // namespace
}  // namespace turnpike::turn
