// Allocations that move with their client (RFC 8016).
#include <catch2/catch.hpp>
#include <string>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using stun::AttributeType;

Setup mobile(unsigned workers = 1) {
  Setup setup;
  setup.mobility = true;
  setup.workers = workers;
  return setup;
}

// Makes a client with a channel to 5.6.7.8:9, and returns its ticket.
std::string settle_at(Scenario& s, const Client& c) {
  const Outcome allocated = s.client_sends(allocate_mobile().from(c));
  allocated.expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:9").from(c)).expect_success();
  return allocated.ticket();
}

void expect_path(Scenario& s, const Client& c, const Endpoint& relayed) {
  s.peer_sends("5.6.7.8:9", "to you", relayed).expect_channel_data(0x4000, "to you").expect_to(c);
}

TEST_CASE("a client that asks for a ticket gets one, if mobility is enabled", "[turn][mobility]") {
  SECTION("on") {
    Scenario s(mobile());
    CHECK(s.client_sends(allocate_mobile()).expect_success().ticket().size() == 24);
    CHECK_FALSE(
        s.client_sends(allocate().from(client(2))).expect_success().has(AttributeType::mobility_ticket));
    s.client_sends(allocate().raw(AttributeType::mobility_ticket, "abcd").from(client(3))).expect_error(400);
  }
  SECTION("off: as if the server had never heard of it") {
    Scenario s;
    CHECK_FALSE(s.client_sends(allocate_mobile()).expect_success().has(AttributeType::mobility_ticket));
    s.client_sends(refresh_with(std::string(24, 'A')).from(client(2))).expect_error(437);
  }
}

TEST_CASE("who asks to move to one place once more still belongs to it", "[turn][mobility]") {
  const unsigned worker = GENERATE(0U, 1U);
  Scenario s(mobile(2));
  const Client after = client(2, worker);
  const std::string ticket = settle_at(s, client(1, 0));
  const std::string first = s.client_sends(refresh_with(ticket).from(after)).expect_success().ticket();
  const std::string second = s.client_sends(refresh_with(ticket).from(after)).expect_success().ticket();
  CHECK(first != second);
  s.client_sends(create_permission("5.6.7.9:1").from(after)).expect_success();
}

TEST_CASE("all tickets are different", "[turn][mobility]") {
  Scenario s(mobile());
  const std::string first = s.client_sends(allocate_mobile()).ticket();
  const std::string second = s.client_sends(allocate_mobile().from(client(2))).ticket();
  CHECK(first.substr(0, 2) == second.substr(0, 2));
  CHECK(first.substr(2) != second.substr(2));
  CHECK(s.client_sends(allocate_mobile().transaction(9).from(client(3))).ticket() ==
        s.client_sends(allocate_mobile().transaction(9).from(client(3))).ticket());  // sent again
}

TEST_CASE("an allocation moves: the former path serves until data comes by the new one", "[turn][mobility]") {
  for (const unsigned worker : {0U, 1U}) {
    for (const std::string proof : {"channel data", "Send", "a request"}) {
      CAPTURE(worker, proof);
      Scenario s(mobile(2));
      const Client before = client(1, 0);
      const Client after = client(2, worker);
      const std::string ticket = settle_at(s, before);
      const Endpoint relayed = s.relayed(before);

      const Outcome moved = s.client_sends(refresh_with(ticket).from(after));
      moved.expect_success().expect_lifetime(600s).expect_to(after);
      CHECK(moved.ticket() != ticket);
      expect_path(s, before, relayed);
      s.client_sends(channel_data(0x4000, "out"), before).expect_sent("5.6.7.8:9", "out");

      if (proof == "channel data") {
        s.client_sends(channel_data(0x4000, "out"), after).expect_sent("5.6.7.8:9", "out");
      } else if (proof == "Send") {
        s.client_sends(send("5.6.7.8:9", "out").from(after)).expect_sent("5.6.7.8:9", "out");
      } else {
        s.client_sends(create_permission("5.6.7.9:1").from(after)).expect_success();
      }
      expect_path(s, after, relayed);
      s.client_sends(channel_data(0x4000, "late"), before).expect_silence();
      s.client_sends(refresh().from(before)).expect_error(437);
      s.client_sends(refresh(0s).from(after)).expect_success();
      s.expect_no_allocation();
    }
  }
}

TEST_CASE("an allocation counts for the transport that it is reached by", "[turn][mobility]") {
  const unsigned worker = GENERATE(0U, 1U);
  Scenario s(mobile(2));
  const auto present = [&s](Transport transport) {
    const auto place = static_cast<std::size_t>(transport);
    return s.server().breakdown().transports[place].present(0);
  };
  const std::string ticket = settle_at(s, client(1, 0));
  const Client after = over_tcp(2, worker);
  s.client_sends(refresh_with(ticket).from(after)).expect_success();
  CHECK(present(Transport::udp) == 1);
  CHECK(present(Transport::tcp) == 0);
  s.client_sends(channel_data(0x4000, "out"), after).expect_sent("5.6.7.8:9", "out");
  CHECK(present(Transport::udp) == 0);
  CHECK(present(Transport::tcp) == 1);
  s.client_sends(refresh(0s).from(after)).expect_success();
  CHECK(present(Transport::udp) == 0);
  CHECK(present(Transport::tcp) == 0);
}

TEST_CASE("a repeated Refresh gets the same answer", "[turn][mobility]") {
  Scenario s(mobile(2));
  const std::string ticket = settle_at(s, client(1));
  const RequestMaker ask = refresh_with(ticket).transaction(7).from(client(2, 1));
  const std::string first = s.client_sends(ask).expect_success().ticket();
  CHECK(s.client_sends(ask).expect_success().ticket() == first);
  s.client_sends(channel_data(0x4000, "out"), client(2, 1)).expect_sent("5.6.7.8:9", "out");
}

TEST_CASE("the same transaction id on another path is another move", "[turn][mobility]") {
  Scenario s(mobile());
  const std::string ticket = settle_at(s, client(1));
  s.client_sends(refresh_with(ticket).transaction(7).from(client(2))).expect_success();
  s.client_sends(refresh_with(ticket).transaction(7).from(client(3))).expect_success();
  s.client_sends(channel_data(0x4000, "out"), client(2)).expect_silence();
  s.client_sends(channel_data(0x4000, "out"), client(3)).expect_sent("5.6.7.8:9", "out");
}

// The answer to the move is lost, and the client's media completes the move before the client asks again.
TEST_CASE("a client that missed the answer to its move still learns the ticket that is good now",
          "[turn][mobility]") {
  Scenario s(mobile(2));
  const unsigned worker = GENERATE(0U, 1U);
  const Client after = client(2, worker);
  const std::string ticket = settle_at(s, client(1));
  const RequestMaker ask = refresh_with(ticket).transaction(7).from(after);
  const std::string lost = s.client_sends(ask).expect_success().ticket();
  s.client_sends(channel_data(0x4000, "out"), after).expect_sent("5.6.7.8:9", "out");
  CHECK(s.client_sends(ask).expect_success().ticket() == lost);
  s.client_sends(refresh_with(ticket).from(client(3))).expect_error(400);
  s.client_sends(refresh_with(lost).from(client(3))).expect_success();
  s.client_sends(channel_data(0x4000, "out"), client(3)).expect_sent("5.6.7.8:9", "out");
  CHECK_FALSE(
      s.client_sends(refresh(600s).from(client(3))).expect_success().has(AttributeType::mobility_ticket));
  CHECK_FALSE(s.client_sends(refresh_with(lost).lifetime(0s).from(client(3)))
                  .expect_success()
                  .has(AttributeType::mobility_ticket));
}

TEST_CASE("a request that another worker answers counts once", "[turn][mobility]") {
  Scenario s(mobile(2));
  const std::string ticket = settle_at(s, client(1));
  s.nonce_of(client(2, 1));
  const auto requests = [&] { return s.counters(0).requests + s.counters(1).requests; };
  const std::uint64_t before = requests();
  s.client_sends(refresh_with(ticket).from(client(2, 1))).expect_success();
  CHECK(requests() == before + 1);
}

TEST_CASE("after a second Refresh with the new ticket, data from the new path still completes the move",
          "[turn][mobility]") {
  Scenario s(mobile(2));
  const std::string ticket = settle_at(s, client(1));
  const std::string next = s.client_sends(refresh_with(ticket).from(client(2, 1))).expect_success().ticket();
  s.client_sends(refresh_with(next).from(client(2, 1))).expect_success();
  s.client_sends(channel_data(0x4000, "out"), client(2, 1)).expect_sent("5.6.7.8:9", "out");
}

TEST_CASE("a move is given up when nothing arrives on the new path", "[turn][mobility]") {
  Scenario s(mobile());
  const std::string ticket = settle_at(s, client(1));
  const Endpoint relayed = s.relayed(client(1));
  s.client_sends(refresh_with(ticket).from(client(2))).expect_success();
  s.advance(60s);
  s.client_sends(channel_data(0x4000, "out"), client(2)).expect_silence();
  expect_path(s, client(1), relayed);
  s.client_sends(refresh_with(ticket).from(client(2))).expect_success();  // the ticket is as it was
}

TEST_CASE("somebody else at the new address does not get the allocation", "[turn][mobility]") {
  Scenario s(mobile());
  const std::string ticket = settle_at(s, client(1));
  const Endpoint relayed = s.relayed(client(1));
  s.client_sends(refresh_with(ticket).from(client(2))).expect_success();
  s.client_sends(create_permission("5.6.7.8:9").as("bob").from(client(2))).expect_error(437);
  expect_path(s, client(1), relayed);
}

// The allocation keeps the key of a secret that the operator has removed, but nothing new is made with it.
TEST_CASE("the key of an allocation that is to arrive somewhere is good for no Allocate there",
          "[turn][mobility]") {
  Setup setup = mobile();
  setup.auth.secrets = {"north"};
  Scenario s(setup);
  const WallTime expires = s.now().wall + 3600s;
  const auto guest = [&](RequestMaker request, const Client& from) {
    return s.client_sends(with_rest_name(request.from(from), "north", "guest", expires));
  };
  const std::string ticket = guest(allocate_mobile(), client(1)).expect_success().ticket();
  guest(refresh_with(ticket), client(2)).expect_success();
  setup.auth.secrets = {"south"};
  s.settings_become(setup.auth, setup.limits);
  guest(allocate(), client(2)).expect_error(401);
  guest(create_permission("5.6.7.8:1"), client(2)).expect_success();
}

TEST_CASE("two allocations cannot move to one place", "[turn][mobility]") {
  Scenario s(mobile());
  const std::string first = settle_at(s, client(1));
  const std::string second = s.client_sends(allocate_mobile().from(client(2))).expect_success().ticket();
  s.client_sends(refresh_with(first).from(client(3))).expect_success();
  s.client_sends(refresh_with(second).from(client(3))).expect_success();
  s.client_sends(create_permission("5.6.7.8:1").from(client(3))).expect_success();
  CHECK(s.relayed(client(3)) != s.relayed(client(1)));
  s.client_sends(refresh_with(first).from(client(4))).expect_success();
}

TEST_CASE("an allocation has one move at a time, and the latest one counts", "[turn][mobility]") {
  Scenario s(mobile(3));
  const Client first = client(1, 0);
  const Client second = client(2, 1);
  const Client third = client(3, 2);
  const std::string ticket = settle_at(s, first);
  const Endpoint relayed = s.relayed(first);
  const std::string next = s.client_sends(refresh_with(ticket).from(second)).expect_success().ticket();
  SECTION("the answer was lost, so the old ticket is shown again") {
    s.client_sends(refresh_with(ticket).from(third)).expect_success();
  }
  SECTION("the answer came") { s.client_sends(refresh_with(next).from(third)).expect_success(); }
  s.client_sends(channel_data(0x4000, "out"), second).expect_silence();
  expect_path(s, first, relayed);
  s.client_sends(channel_data(0x4000, "out"), third).expect_sent("5.6.7.8:9", "out");
  expect_path(s, third, relayed);
}

TEST_CASE("a ticket is valid until the client is known to have the next one", "[turn][mobility]") {
  Scenario s(mobile());
  const std::string ticket = settle_at(s, client(1));
  const std::string next = s.client_sends(refresh_with(ticket).from(client(2))).expect_success().ticket();
  s.client_sends(channel_data(0x4000, "out"), client(2)).expect_sent("5.6.7.8:9", "out");
  s.client_sends(refresh_with(ticket).from(client(3))).expect_error(400);
  s.client_sends(refresh_with(next).from(client(3))).expect_success();
}

TEST_CASE("another client's ticket, or a malformed one, is refused", "[turn][mobility]") {
  Scenario s(mobile(2));
  const std::string ticket = settle_at(s, client(1));
  std::string wrong = ticket;
  wrong.back() = wrong.back() == 'A' ? 'B' : 'A';
  std::string elsewhere = ticket;
  // Of the workers that there are not worker 2, the first of them, and worker 400.
  if (GENERATE(false, true)) {
    elsewhere[2] = 'I';
  } else {
    elsewhere[1] = 'Z';
  }
  for (const unsigned worker : {0U, 1U}) {
    const Client c = client(2 + worker, worker);
    s.client_sends(refresh_with(ticket).as("bob").from(c)).expect_error(441);
    s.client_sends(refresh_with(wrong).from(c)).expect_error(400);
    s.client_sends(refresh_with(elsewhere).from(c)).expect_error(400);
    s.client_sends(refresh_with(ticket.substr(1)).from(c)).expect_error(400);
    s.client_sends(refresh_with("").from(c)).expect_error(400);
    s.client_sends(refresh_with("&" + ticket.substr(1)).from(c)).expect_error(400);
    s.client_sends(refresh_with(ticket).raw(AttributeType::lifetime, "abc").from(c)).expect_error(400);
    s.client_sends(refresh_with(ticket).unsigned_by_anybody().from(c)).expect_error(401);
    s.client_sends(refresh_with(ticket).password("wrong").from(c)).expect_error(401);
    s.client_sends(channel_data(0x4000, "out"), c).expect_silence();
  }
  s.client_sends(refresh_with(ticket).from(client(1)))
      .expect_success();  // on its own path: a Refresh like others
}

TEST_CASE("a move keeps the place in the quota, and one client has one allocation", "[turn][mobility]") {
  Setup setup = mobile(2);
  setup.limits.allocations_per_user = 1;
  Scenario s(setup);
  const std::string ticket = settle_at(s, client(1));
  s.client_sends(refresh_with(ticket).from(client(2, 1))).expect_success();
  s.client_sends(allocate().from(client(3))).expect_error(486);
  s.client_sends(channel_data(0x4000, "out"), client(2, 1)).expect_sent("5.6.7.8:9", "out");
  s.client_sends(allocate().from(client(3))).expect_error(486);
}

TEST_CASE("a Refresh by ticket may end the allocation at once", "[turn][mobility]") {
  Scenario s(mobile(2));
  const std::string ticket = settle_at(s, client(1));
  s.client_sends(refresh_with(ticket).lifetime(0s).from(client(2, 1))).expect_success().expect_lifetime(0s);
  s.expect_no_allocation();
  s.client_sends(channel_data(0x4000, "out"), client(2, 1)).expect_silence();
}

TEST_CASE("an allocation that has begun to move still expires", "[turn][mobility]") {
  Scenario s(mobile(2));
  const std::string ticket = settle_at(s, client(1));
  s.advance(500s);
  s.client_sends(refresh_with(ticket).from(client(2, 1))).expect_success();
  s.advance(599s);
  CHECK(s.allocations() == 1);
  s.advance(1s);
  s.expect_no_allocation();
  s.client_sends(refresh_with(ticket).from(client(3))).expect_error(400);
}

TEST_CASE("the ticket of an allocation that has expired is no good before it is removed",
          "[turn][mobility]") {
  Scenario s(mobile());
  const std::string ticket = settle_at(s, client(1));
  s.advance_asleep(600s);
  s.client_sends(refresh_with(ticket).from(client(3))).expect_error(400);
}

TEST_CASE("the end of a connection is not the end of an allocation that may move", "[turn][mobility]") {
  Scenario s(mobile(2));
  const Client before = client_on(Transport::tcp, 1);
  Client after = client_on(Transport::tls, 2);
  after.worker = 1;
  const std::string ticket = settle_at(s, before);
  const Endpoint relayed = s.relayed(before);
  SECTION("before it moves") {
    s.client_closes(before);
    CHECK(s.allocations() == 1);
    s.client_sends(refresh_with(ticket).from(after)).expect_success();
    s.client_sends(channel_data(0x4000, "out"), after).expect_sent("5.6.7.8:9", "out");
    expect_path(s, after, relayed);
  }
  SECTION("while it moves: the new path is gone, the former one still there") {
    const std::string next = s.client_sends(refresh_with(ticket).from(after)).expect_success().ticket();
    s.client_closes(after);
    expect_path(s, before, relayed);
    s.client_sends(refresh_with(next).from(client(3))).expect_error(400);
    CHECK(s.client_sends(refresh_with(ticket).from(before)).expect_success().ticket() == ticket);
    s.client_sends(refresh_with(ticket).from(client(3))).expect_success();
  }
  SECTION("nobody comes") {
    s.client_closes(before);
    s.advance(600s);
    s.expect_no_allocation();
  }
}

TEST_CASE("a TCP relayed address stays where it is", "[turn][mobility]") {
  Setup setup = mobile();
  setup.tcp_relay = true;
  Scenario s(setup);
  const Client c = client_on(Transport::tcp, 1);
  const Outcome allocated =
      s.client_sends(allocate_tcp().raw(AttributeType::mobility_ticket, "").from(c)).expect_success();
  CHECK_FALSE(allocated.has(AttributeType::mobility_ticket));
  s.client_closes(c);
  s.expect_no_allocation();
}

}  // namespace
}  // namespace turnpike::turn
