// Allocate and Refresh (RFC 8656 §7 and §8): lifetimes, families, ports, reservations, quotas.
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using stun::AttributeType;
using stun::Method;
using Kind = Output::Lifetime::Kind;

constexpr auto v4 = Family::ipv4;
constexpr auto v6 = Family::ipv6;

Setup with_ports(std::uint16_t first, std::uint16_t last) {
  Setup setup;
  setup.relays.first_port = first;
  setup.relays.last_port = last;
  return setup;
}

// The family and the code of ADDRESS-ERROR-CODE.
std::pair<int, int> address_error(const Outcome& outcome) {
  const Bytes value = outcome.find(AttributeType::address_error_code).value();
  REQUIRE(value.size() >= 4);
  CHECK(value[1] == 0);
  return {value[0], (value[2] & 7) * 100 + value[3]};
}

TEST_CASE("a client gets a relayed address", "[turn]") {
  Scenario s;
  const Outcome created = s.client_sends(allocate()).expect_success().expect_lifetime(600s);
  CHECK(created.relayed_text() == "192.0.2.1:50000");
  CHECK(created.mapped_text() == "198.51.100.1:40001");
  CHECK_FALSE(created.has(AttributeType::reservation_token));
  CHECK_FALSE(created.has(AttributeType::address_error_code));
  REQUIRE(created.count(Kind::created) == 1);
  CHECK(created.lifetimes[0].username == "alice");
  CHECK(created.lifetimes[0].relayed.to_string() == "192.0.2.1:50000");
  s.client_sends(allocate().dont_fragment().from(client(2))).expect_success();
  CHECK(s.allocations() == 2);
}

TEST_CASE("each 5-tuple has an allocation of its own", "[turn]") {
  Scenario s;
  std::vector<Client> clients = {client(1), client(2), client_on(Transport::tcp), client_on(Transport::tls),
                                 client_on(Transport::dtls)};
  clients.push_back(client(1));
  clients.back().tuple.client.port = 1;
  clients.push_back(client(1));
  clients.back().tuple.server = endpoint("192.0.2.2:3478");
  clients.push_back(client(1));
  clients.back().tuple.server.port = 3479;
  clients.push_back(client_on(Transport::tcp));
  clients.back().tuple.path = PathId{77};  // the 5-tuple was used again
  std::set<std::string> relayed;
  for (const Client& c : clients) {
    CHECK(relayed.insert(s.client_sends(allocate().from(c)).expect_success().relayed_text()).second);
    CHECK(s.host().client_side() == c.tuple.server.address);  // relay.addresses: [auto] goes by it
  }
  CHECK(s.allocations() == clients.size());
  for (const Client& c : clients) s.client_sends(refresh(0s).from(c)).expect_success();
  s.expect_no_allocation();
}

TEST_CASE("LIFETIME is between 600 s and the limit", "[turn]") {
  struct Row {
    Duration limit;
    std::optional<std::chrono::seconds> asked;
    std::chrono::seconds granted;
  };
  const Row table[] = {
      {3600s, {}, 600s},           {3600s, 0s, 600s},   {3600s, 1s, 600s},     {3600s, 599s, 600s},
      {3600s, 600s, 600s},         {3600s, 601s, 601s}, {3600s, 3600s, 3600s}, {3600s, 3601s, 3600s},
      {3600s, 4294967295s, 3600s}, {600s, 777s, 600s},  {10s, 777s, 600s},     {86400s, 86400s, 86400s},
  };
  for (const Row& row : table) {
    CAPTURE(row.limit.count(), row.asked.value_or(-1s).count());
    Setup setup;
    setup.limits.allocation_lifetime = row.limit;
    Scenario s(setup);
    const RequestMaker ask = row.asked ? allocate().lifetime(*row.asked) : allocate();
    s.client_sends(ask).expect_success().expect_lifetime(row.granted);
    s.advance(row.granted - 1ms).expect_no_event();
    s.advance(1ms).expect_expired();
    s.expect_no_allocation();

    if (row.asked == 0s) continue;  // to a Refresh, zero is the end
    s.client_sends(allocate()).expect_success();
    s.advance(100s);
    s.client_sends(row.asked ? refresh(*row.asked) : refresh()).expect_success().expect_lifetime(row.granted);
    s.advance(row.granted - 1ms).expect_no_event();
    s.advance(1ms).expect_expired();
  }
}

TEST_CASE("Refresh moves the end of an allocation, forwards and backwards", "[turn]") {
  Scenario s;
  s.client_sends(allocate().lifetime(3000s)).expect_success();
  s.client_sends(refresh(700s)).expect_success().expect_lifetime(700s);
  s.advance(699s).expect_no_event();
  s.client_sends(refresh(3000s)).expect_success();
  s.advance(2999s).expect_no_event();
  s.advance(1s).expect_expired();
  s.client_sends(refresh()).expect_error(437);

  s.client_sends(allocate().lifetime(3000s)).expect_success();
  s.client_sends(refresh(600s)).expect_success();
  s.advance(600s).expect_expired();
}

TEST_CASE("Refresh 0 frees everything at once", "[turn]") {
  Setup setup = with_ports(50000, 50000);
  setup.limits.allocations_per_user = 1;
  Scenario s(setup);
  for (int i = 0; i < 3; ++i) {
    CHECK(s.client_sends(allocate()).expect_success().relayed_text() == "192.0.2.1:50000");
    s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
    const Outcome ended = s.client_sends(refresh(0s)).expect_success().expect_lifetime(0s);
    CHECK(ended.count(Kind::deleted) == 1);
    s.expect_no_allocation();
    // The client sends it again, and a message that was already on its way arrives.
    s.client_sends(refresh(0s)).expect_error(437);
    s.client_sends(refresh(600s)).expect_error(437);
    s.client_sends(channel_data(0x4000, "late")).expect_silence();
    s.client_sends(send("5.6.7.8:1", "late")).expect_silence();
    s.expect_no_allocation();
  }
}

TEST_CASE("an Allocate with wrong attributes is refused", "[turn]") {
  const auto plain = [] { return request(Method::allocate); };
  const stun::ReservationToken token{1};
  const std::tuple<std::string, RequestMaker, int> table[] = {
      {"no transport", plain(), 400},
      {"a transport of three octets",
       plain().raw(AttributeType::requested_transport, std::string_view("\x11\0\0", 3)), 400},
      {"TCP", plain().transport(6), 442},
      {"transport 0", plain().transport(0), 442},
      {"SCTP", plain().transport(132), 442},
      {"a wrong transport comes before a wrong family", plain().transport(6).family(9), 442},
      {"a lifetime of two octets", allocate().raw(AttributeType::lifetime, "ab"), 400},
      {"a family nobody knows", allocate().family(3), 440},
      {"family 0", allocate().family(0), 440},
      {"a family of one octet", allocate().raw(AttributeType::requested_address_family, "\1"), 400},
      {"both family attributes", allocate().family(v6).additional_family(v6), 400},
      {"both, the other way round", allocate().additional_family(v6).family(v4), 400},
      {"IPv4 as the additional one", allocate().additional_family(v4), 400},
      {"an additional one nobody knows", allocate().additional_family(7), 400},
      {"an additional one of no octets", allocate().raw(AttributeType::additional_address_family, ""), 400},
      {"a reservation and an additional family", allocate().even_port(true).additional_family(v6), 400},
      {"EVEN-PORT of no octets", allocate().raw(AttributeType::even_port, ""), 400},
      {"EVEN-PORT of four octets", allocate().word(AttributeType::even_port, 0x80000000), 400},
      {"a token and EVEN-PORT", allocate().claiming(token).even_port(false), 400},
      {"a token and EVEN-PORT that reserves", allocate().claiming(token).even_port(true), 400},
      {"a token and a family", allocate().claiming(token).family(v4), 400},
      {"a token and an additional family", allocate().claiming(token).additional_family(v6), 400},
      {"a token of seven octets", allocate().raw(AttributeType::reservation_token, "1234567"), 400},
      {"a token of nine octets", allocate().raw(AttributeType::reservation_token, "123456789"), 400},
      {"a token that nobody gave", allocate().claiming(token), 508},
  };
  Scenario s;
  for (const auto& [what, ask, code] : table) {
    CAPTURE(what);
    const Outcome refused = s.client_sends(ask).expect_error(code).signed_by_server();
    CHECK(refused.refusals.size() == 1);
    s.expect_no_allocation();
    CHECK(s.host().reservations() == 0);
  }
  s.client_sends(allocate()).expect_success();
  // When the 5-tuple has an allocation, nothing else is checked.
  s.client_sends(plain().transport(6)).expect_error(437);
}

TEST_CASE("on a used 5-tuple, a 401 comes before a 437, and a retransmission gets the same answer",
          "[turn]") {
  Scenario s;
  const Outcome first =
      s.client_sends(allocate().lifetime(900s).even_port(true).transaction(1)).expect_success();
  s.client_sends(allocate().unsigned_by_anybody().transaction(1)).expect_error(401);
  s.client_sends(allocate().password("guess").transaction(1)).expect_error(401);
  s.client_sends(allocate().nonce("x").transaction(1)).expect_error(438);
  s.client_sends(allocate().transaction(2)).expect_error(437);
  s.client_sends(allocate().as("bob").transaction(2)).expect_error(437);

  s.advance(10s);
  const Outcome again =
      s.client_sends(allocate().lifetime(900s).even_port(true).transaction(1)).expect_success();
  CHECK(again.to_clients[0].message == first.to_clients[0].message);
  again.expect_no_event();
  CHECK(s.allocations() == 1);
  CHECK(s.host().open_relays() == 1);
  // Another user's request with the same transaction id is not a retransmission, and learns nothing.
  s.client_sends(allocate().as("bob").transaction(1)).expect_error(437);
  s.client_sends(refresh(0s)).expect_success();
  CHECK(s.client_sends(allocate().transaction(1)).expect_success().count(Kind::created) == 1);
}

TEST_CASE("the credentials of an allocation are those it was made with", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(refresh(0s).as("bob")).expect_error(441);
  s.client_sends(create_permission("5.6.7.8:1").as("bob")).expect_error(441);
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1").as("bob")).expect_error(441);
  s.client_sends(refresh(0s).as("carol")).expect_error(401);
  s.client_sends(send("5.6.7.8:1", "x")).expect_silence();
  CHECK(s.allocations() == 1);
}

TEST_CASE("requests without an allocation are refused", "[turn]") {
  Scenario s;
  s.client_sends(refresh()).expect_error(437);
  s.client_sends(refresh(0s)).expect_error(437);
  s.client_sends(create_permission("5.6.7.8:1")).expect_error(437);
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_error(437);
  // The request is malformed too, but the missing allocation is found first.
  s.client_sends(channel_bind(0x1000, "127.0.0.1:1")).expect_error(437);
  s.client_sends(send("5.6.7.8:1", "x")).expect_silence().expect_no_event();
  s.client_sends(channel_data(0x4000, "x")).expect_silence().expect_no_event();
  CHECK(s.counters().to_peer_refused == 2);
}

struct FamilyRow {
  bool has_v4, has_v6;
  RequestMaker ask;
  int code;  // 0: success
  std::string relayed;
};

TEST_CASE("a client gets the family that it asks for", "[turn]") {
  const std::string four = "192.0.2.1:50000";
  const std::string six = "[2001:db8::1]:50000";
  const FamilyRow table[] = {
      {true, true, allocate(), 0, four},
      {true, true, allocate().family(v4), 0, four},
      {true, true, allocate().family(v6), 0, six},
      {true, true, allocate().additional_family(v6), 0, four + " " + six},
      {true, true, allocate().additional_family(v6).even_port(false), 0, four + " " + six},
      {true, true, allocate().word(AttributeType::draft_additional_address_family, 0x02000000), 0,
       four + " " + six},
      {true, true, allocate().word(AttributeType::draft_additional_address_family, 0x01000000), 400, ""},
      {true, false, allocate(), 0, four},
      {true, false, allocate().family(v6), 440, ""},
      {true, false, allocate().family(v6).even_port(true), 440, ""},
      {false, true, allocate(), 440, ""},
      {false, true, allocate().family(v4), 440, ""},
      {false, true, allocate().family(v6), 0, six},
      {false, false, allocate().additional_family(v6), 440, ""},
  };
  for (const FamilyRow& row : table) {
    Setup setup;
    if (!row.has_v4) setup.relays.v4.reset();
    if (!row.has_v6) setup.relays.v6.reset();
    Scenario s(setup);
    const Outcome outcome = s.client_sends(row.ask);
    if (row.code != 0) {
      outcome.expect_error(row.code);
      s.expect_no_allocation();
      continue;
    }
    CHECK(outcome.expect_success().relayed_text() == row.relayed);
    CHECK_FALSE(outcome.has(AttributeType::address_error_code));
  }
}

TEST_CASE("with two families, one of them may fail", "[turn]") {
  SECTION("there is no IPv6 address") {
    Setup setup;
    setup.relays.v6.reset();
    Scenario s(setup);
    const Outcome half = s.client_sends(allocate().additional_family(v6).transaction(1)).expect_success();
    CHECK(half.relayed_text() == "192.0.2.1:50000");
    CHECK(address_error(half) == std::pair(2, 440));
    CHECK(s.client_sends(allocate().additional_family(v6).transaction(1))
              .expect_success()
              .to_clients[0]
              .message == half.to_clients[0].message);
    s.client_sends(create_permission("[2a00::1]:1")).expect_error(443);
    s.client_sends(create_permission("5.6.7.8:1")).expect_success();
  }
  SECTION("there is no IPv4 address") {
    Setup setup;
    setup.relays.v4.reset();
    Scenario s(setup);
    const Outcome half = s.client_sends(allocate().additional_family(v6)).expect_success();
    CHECK(half.relayed_text() == "[2001:db8::1]:50000");
    CHECK(address_error(half) == std::pair(1, 440));
    s.client_sends(create_permission("5.6.7.8:1")).expect_error(443);
    s.client_sends(create_permission("[2a00::1]:1")).expect_success();
  }
  SECTION("the ports of one have run out") {
    Scenario s;
    s.host().fail_call(2, RelayError::no_port);
    const Outcome half = s.client_sends(allocate().additional_family(v6)).expect_success();
    CHECK(half.relayed_text() == "192.0.2.1:50000");
    CHECK(address_error(half) == std::pair(2, 508));
  }
  SECTION("the ports of both have run out") {
    Scenario s;
    s.host().fail_every_call(RelayError::no_port);
    s.client_sends(allocate().additional_family(v6)).expect_error(508);
    s.expect_no_allocation();
  }
  SECTION("each for its own reason") {
    Scenario s;
    s.host().fail_call(1, RelayError::no_address);
    s.host().fail_call(2, RelayError::no_port);
    s.client_sends(allocate().additional_family(v6)).expect_error(440);
    s.expect_no_allocation();
  }
}

TEST_CASE("Refresh may end one family", "[turn]") {
  Scenario s;
  SECTION("one of two goes alone, with what belongs to it") {
    s.client_sends(allocate().additional_family(v6)).expect_success();
    s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
    s.client_sends(channel_bind(0x4001, "[2a00::1]:1")).expect_success();
    s.client_sends(create_permission("[2a00::2]:1")).expect_success();
    s.client_sends(refresh(700s).family(v6)).expect_success().expect_lifetime(700s);
    s.client_sends(refresh(0s).family(v6)).expect_success().expect_lifetime(0s).expect_no_event();
    CHECK(s.host().open_relays() == 1);
    s.client_sends(channel_data(0x4001, "x")).expect_silence();
    s.client_sends(send("[2a00::2]:1", "x")).expect_silence();
    s.client_sends(channel_bind(0x4001, "[2a00::1]:1")).expect_error(443);
    s.client_sends(refresh().family(v6)).expect_error(443);
    s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
    s.peer_sends("5.6.7.8:1", "y").expect_channel_data(0x4000, "y");
    s.client_sends(channel_bind(0x4001, "5.6.7.9:1")).expect_success();
    s.client_sends(refresh(0s).family(v4)).expect_success();
    s.expect_no_allocation();
  }
  SECTION("the first of two goes, and the second works on") {
    s.client_sends(allocate().additional_family(v6)).expect_success();
    s.client_sends(channel_bind(0x4001, "[2a00::1]:1")).expect_success();
    s.client_sends(refresh(0s).family(v4)).expect_success();
    CHECK(s.host().is_open(endpoint("[2001:db8::1]:50000")));
    CHECK_FALSE(s.host().is_open(endpoint("192.0.2.1:50000")));
    s.client_sends(channel_data(0x4001, "x")).expect_sent("[2a00::1]:1", "x");
    s.peer_sends("[2a00::1]:1", "y", endpoint("[2001:db8::1]:50000")).expect_channel_data(0x4001, "y");
    s.advance(600s).expect_expired();
  }
  SECTION("without one, all of it goes") {
    s.client_sends(allocate().additional_family(v6)).expect_success();
    s.client_sends(refresh(0s)).expect_success();
  }
  SECTION("the only one") {
    s.client_sends(allocate()).expect_success();
    s.client_sends(refresh(0s).family(v6)).expect_error(443);
    s.client_sends(refresh().family(v6)).expect_error(443);
    s.client_sends(refresh().family(9)).expect_error(443);
    s.client_sends(refresh().raw(AttributeType::requested_address_family, "ab")).expect_error(400);
    s.client_sends(refresh().raw(AttributeType::lifetime, "ab")).expect_error(400);
    s.client_sends(refresh().family(v4)).expect_success();
    s.client_sends(refresh(0s).family(v4)).expect_success();
  }
  if (s.allocations() != 0) s.client_sends(refresh(0s)).expect_success();
  s.expect_no_allocation();
}

TEST_CASE("EVEN-PORT gets an even port", "[turn]") {
  Scenario s(with_ports(50001, 50004));
  CHECK(s.client_sends(allocate().even_port(false)).expect_success().relayed_text() == "192.0.2.1:50002");
  CHECK(s.host().reservations() == 0);  // R=0 does not hold the sibling
  CHECK(s.client_sends(allocate().even_port(true).from(client(2))).expect_error(508).to_clients.size() == 1);
  CHECK(s.client_sends(allocate().even_port(false).from(client(2))).expect_success().relayed_text() ==
        "192.0.2.1:50004");
  s.client_sends(allocate().even_port(false).from(client(3))).expect_error(508);
  s.client_sends(allocate().from(client(3))).expect_success();
  s.client_sends(allocate().from(client(4))).expect_success();
  s.client_sends(allocate().from(client(5))).expect_error(508);
}

TEST_CASE("a reserved port waits 30 s for its owner", "[turn]") {
  Scenario s(with_ports(50000, 50001));
  const stun::ReservationToken token = s.client_sends(allocate().even_port(true)).expect_success().token();
  CHECK(s.host().reservations() == 1);
  s.client_sends(allocate().from(client(2))).expect_error(508);  // held for the token
  s.client_sends(allocate().claiming(token).as("bob").from(client(2))).expect_error(508);

  SECTION("claimed in time, and once") {
    s.advance(29'999ms);
    const Outcome claimed = s.client_sends(allocate().claiming(token).from(client(2))).expect_success();
    CHECK(claimed.relayed_text() == "192.0.2.1:50001");
    CHECK_FALSE(claimed.has(AttributeType::reservation_token));
    s.client_sends(allocate().claiming(token).from(client(3))).expect_error(508);
    s.advance(1s).expect_no_event();  // nothing happens when the 30 s are over
    CHECK(s.allocations() == 2);
  }
  SECTION("not claimed in time") {
    s.advance(29'999ms);
    CHECK(s.host().reservations() == 1);
    s.advance(1ms).expect_no_event();
    CHECK(s.host().reservations() == 0);
    s.client_sends(allocate().claiming(token).from(client(2))).expect_error(508);
    CHECK(s.client_sends(allocate().from(client(2))).expect_success().relayed_text() == "192.0.2.1:50001");
  }
  SECTION("it outlives the allocation that made it") {
    s.client_sends(refresh(0s)).expect_success();
    CHECK(s.client_sends(allocate().claiming(token).from(client(2))).expect_success().relayed_text() ==
          "192.0.2.1:50001");
  }
  SECTION("a wrong token is no help") {
    for (std::size_t i = 0; i < token.size(); ++i) {
      stun::ReservationToken wrong = token;
      wrong[i] ^= 1;
      s.client_sends(allocate().claiming(wrong).from(client(2))).expect_error(508);
    }
  }
}

TEST_CASE("another worker takes a reservation over", "[turn]") {
  Setup setup = with_ports(50000, 50001);
  setup.workers = 2;
  setup.auth.secrets = {"north"};
  Scenario s(setup);
  const WallTime soon = s.now().wall + 60s;
  RequestMaker first = allocate().even_port(true);
  const auto token = s.client_sends(with_rest_name(first, "north", "guest", soon)).expect_success().token();
  RequestMaker stranger = allocate().claiming(token).from(client(2, 1));
  s.client_sends(with_rest_name(stranger, "north", "other", soon)).expect_error(508);
  // The same user has a newer name.
  RequestMaker second = allocate().claiming(token).from(client(2, 1));
  CHECK(s.client_sends(with_rest_name(second, "north", "guest", soon + 1h)).expect_success().relayed_text() ==
        "192.0.2.1:50001");
  s.advance(31s).expect_no_event();
  CHECK(s.allocations() == 2);
  RequestMaker permit = create_permission("5.6.7.8:1").from(client(2, 1));
  s.client_sends(with_rest_name(permit, "north", "guest", soon + 1h)).expect_success();
  s.peer_sends("5.6.7.8:1", "x", endpoint("192.0.2.1:50001"))
      .expect_data_from("5.6.7.8:1", "x")
      .expect_to(client(2, 1));
}

TEST_CASE("a token is eight octets that nobody can guess", "[turn]") {
  Scenario s;
  const stun::ReservationToken drawn{0xDE, 0xAD, 0xBE, 0xEF, 1, 2, 3, 4};
  s.random().script(drawn);
  CHECK(s.client_sends(allocate().even_port(true)).expect_success().token() == drawn);
  CHECK(s.client_sends(allocate().even_port(true).from(client(2))).expect_success().token() != drawn);
}

TEST_CASE("many reservations end in their order", "[turn]") {
  Scenario s;
  for (unsigned i = 1; i <= 20; ++i) {
    s.client_sends(allocate().even_port(true).from(client(i))).expect_success();
    s.advance(1s);
  }
  CHECK(s.host().reservations() == 20);
  s.advance(14s);  // 34 s after the first, 15 s after the last
  CHECK(s.host().reservations() == 15);
  s.advance(15s);
  CHECK(s.host().reservations() == 0);
}

TEST_CASE("the quotas of users and of the server limit allocations", "[turn]") {
  Setup setup;
  setup.auth.secrets = {"north"};
  setup.limits.allocations = 3;
  setup.limits.allocations_per_user = 2;
  Scenario s(setup);
  s.client_sends(allocate().from(client(1))).expect_success();
  s.client_sends(allocate().from(client(2))).expect_success();
  s.client_sends(allocate().from(client(3))).expect_error(486);
  s.client_sends(allocate().from(client(3))).expect_error(486);  // and holds nothing meanwhile
  const WallTime soon = s.now().wall + 60s;
  RequestMaker guest = allocate().from(client(3));
  s.client_sends(with_rest_name(guest, "north", "guest", soon)).expect_success();
  s.client_sends(allocate().as("bob").from(client(4))).expect_error(486);  // the server is full
  s.client_sends(refresh(0s).from(client(2))).expect_success();
  RequestMaker renewed = allocate().from(client(4));
  s.client_sends(with_rest_name(renewed, "north", "guest", soon + 1h)).expect_success();
  s.client_sends(refresh(0s).from(client(1))).expect_success();
  RequestMaker third = allocate().from(client(5));
  s.client_sends(with_rest_name(third, "north", "guest", soon + 2h)).expect_error(486);  // a user, not a name
  s.client_sends(allocate().from(client(5))).expect_success();
  s.advance(600s);
  s.expect_no_allocation();
  s.client_sends(allocate().from(client(1))).expect_success();
}

TEST_CASE("a reservation has its place in the quota of its user", "[turn]") {
  Setup setup;
  setup.limits.allocations_per_user = 3;
  Scenario s(setup);
  const auto reserve = [&] { return s.client_sends(allocate().even_port(true)); };
  reserve().expect_success();
  s.client_sends(refresh(0s)).expect_success();
  const stun::ReservationToken token = reserve().expect_success().token();
  s.client_sends(refresh(0s)).expect_success();
  CHECK(s.host().reservations() == 2);
  for (int i = 0; i < 100; ++i) reserve().expect_error(486);
  CHECK(s.host().reservations() == 2);
  s.client_sends(allocate()).expect_success();  // the third place
  s.client_sends(allocate().from(client(2))).expect_error(486);
  s.client_sends(allocate().even_port(true).as("bob").from(client(3))).expect_success();

  SECTION("that goes to the allocation which takes what was reserved") {
    s.client_sends(allocate().claiming(token).from(client(2))).expect_success();
    s.client_sends(allocate().from(client(4))).expect_error(486);
    s.client_sends(refresh(0s).from(client(2))).expect_success();
    s.client_sends(allocate().from(client(4))).expect_success();
  }
  SECTION("that is free when nobody takes it in time") {
    s.advance(30s);
    s.client_sends(allocate().from(client(2))).expect_success();
    s.client_sends(allocate().from(client(4))).expect_success();
    s.client_sends(allocate().from(client(5))).expect_error(486);
  }
  SECTION("that nobody else gets by trying") {
    s.client_sends(allocate().claiming(token).as("bob").from(client(2))).expect_error(508);
    s.client_sends(allocate().from(client(2))).expect_error(486);
  }
}

TEST_CASE("who may have one allocation holds one port, whatever is reserved", "[turn]") {
  Setup setup;
  setup.limits.allocations_per_user = 1;
  Scenario s(setup);
  for (int i = 0; i < 100; ++i) {
    s.client_sends(allocate().even_port(true)).expect_error(486);
    s.client_sends(allocate().even_port(false)).expect_success();
    s.client_sends(refresh(0s)).expect_success();
  }
  CHECK(s.host().reservations() == 0);
}

TEST_CASE("reservations count among all allocations of the server, on whichever worker", "[turn]") {
  Setup setup;
  setup.limits.allocations = 2;
  setup.workers = 2;
  Scenario s(setup);
  const stun::ReservationToken token = s.client_sends(allocate().even_port(true)).expect_success().token();
  s.client_sends(allocate().as("bob").from(client(2, 1))).expect_error(486);
  s.client_sends(allocate().claiming(token).from(client(3, 1))).expect_success();
  s.client_sends(allocate().as("bob").from(client(2, 1))).expect_error(486);
  s.client_sends(refresh(0s).from(client(3, 1))).expect_success();
  s.client_sends(allocate().as("bob").from(client(2, 1))).expect_success();
}

TEST_CASE("a reservation for which there was no port holds no place", "[turn]") {
  Scenario s(with_ports(50000, 50000));
  s.client_sends(allocate().even_port(true)).expect_error(508);
  s.expect_no_allocation();
  CHECK(s.quota().in_use() == 0);
  CHECK(s.next_deadline() == SteadyTime::max());  // nothing waits for its end
}

TEST_CASE("a configured user and a guest of the same name count apart, and so do expiries alone", "[turn]") {
  Setup setup;
  setup.auth.secrets = {"north"};
  setup.limits.allocations_per_user = 1;
  Scenario s(setup);
  const auto rest = [&](std::string_view user, WallTime expires, unsigned n) {
    RequestMaker request = allocate().from(client(n));
    return s.client_sends(with_rest_name(request, "north", user, expires));
  };
  const WallTime soon = s.now().wall + 60s;
  s.client_sends(allocate().from(client(1))).expect_success();
  rest("alice", soon, 2).expect_success();
  rest("alice", soon + 1s, 3).expect_error(486);
  rest("", soon, 4).expect_success();
  rest("", soon + 1s, 5).expect_success();
  rest("", soon, 6).expect_error(486);
}

// --- The age of an allocation

Setup ending_after(Duration age) {
  Setup setup;
  setup.limits.allocation_age = age;
  setup.mobility = true;
  return setup;
}

TEST_CASE("an allocation ends at its greatest age, whatever is refreshed", "[turn]") {
  Scenario s(ending_after(1000s));
  s.client_sends(allocate()).expect_success().expect_lifetime(600s);
  s.advance(300s);
  s.client_sends(refresh()).expect_success().expect_lifetime(600s);
  s.client_sends(refresh(3600s)).expect_success().expect_lifetime(700s);
  s.advance(699s);
  s.client_sends(refresh()).expect_success().expect_lifetime(1s);
  s.advance(500ms);
  s.client_sends(refresh()).expect_success().expect_lifetime(1s);  // 0 would be an end at once
  const Outcome ended = s.advance(500ms);
  REQUIRE(ended.count(turn::Output::Lifetime::Kind::deleted) == 1);
  CHECK(ended.lifetimes[0].reason == turn::EndReason::allocation_age);
  s.expect_no_allocation();
  s.client_sends(refresh()).expect_error(437);
  s.client_sends(allocate()).expect_success().expect_lifetime(600s);
}

TEST_CASE("the granted lifetime is shorter than usual when less is left", "[turn]") {
  Scenario s(ending_after(120s));
  s.client_sends(allocate().lifetime(3600s)).expect_success().expect_lifetime(120s);
  s.advance(119s).expect_no_event();
  CHECK(s.advance(1s).lifetimes.at(0).reason == turn::EndReason::allocation_age);
}

TEST_CASE("an allocation lasts until its greatest age, though clients are told whole seconds", "[turn]") {
  Scenario s(ending_after(1000s));
  s.client_sends(allocate()).expect_success();
  s.advance(500s + 300ms);
  s.client_sends(refresh(3600s)).expect_success().expect_lifetime(499s);
  s.advance(499s + 600ms).expect_no_event();
  CHECK(s.advance(100ms).lifetimes.at(0).reason == turn::EndReason::allocation_age);
}

TEST_CASE("a lower greatest age holds from the reload on, for what there is as well", "[turn]") {
  Scenario s(ending_after(1000s));
  s.client_sends(allocate()).expect_success().expect_lifetime(600s);
  s.advance(100s);
  const Setup next = ending_after(200s);
  s.settings_become(next.auth, next.limits).expect_no_event();
  s.advance(99s).expect_no_event();
  CHECK(s.advance(1s).lifetimes.at(0).reason == turn::EndReason::allocation_age);
}

TEST_CASE("an allocation that ends earlier is not reported as too old", "[turn]") {
  Scenario s(ending_after(1000s));
  s.client_sends(allocate()).expect_success();
  CHECK(s.client_sends(refresh(0s)).expect_success().lifetimes.at(0).reason == turn::EndReason::refresh);
  s.client_sends(allocate()).expect_success();
  CHECK(s.advance(600s).lifetimes.at(0).reason == turn::EndReason::expired);
}

TEST_CASE("an allocation that moves is as old as before", "[turn][mobility]") {
  Scenario s(ending_after(1000s));
  const std::string ticket = s.client_sends(allocate_mobile()).expect_success().ticket();
  s.advance(590s);
  s.client_sends(refresh_with(ticket).from(client(2))).expect_success().expect_lifetime(410s);
  s.client_sends(create_permission("5.6.7.8:1").from(client(2))).expect_success();
  CHECK(s.advance(409s).count(turn::Output::Lifetime::Kind::deleted) == 0);
  CHECK(s.advance(1s).count(turn::Output::Lifetime::Kind::deleted) == 1);
}

TEST_CASE("malformed requests take nothing out of the quota", "[turn]") {
  Setup setup;
  setup.limits.allocations_per_user = 1;
  Scenario s(setup);
  for (int i = 0; i < 5; ++i) {
    s.client_sends(request(Method::allocate)).expect_error(400);
    s.client_sends(allocate().claiming({})).expect_error(508);
    s.client_sends(allocate().family(9)).expect_error(440);
    s.expect_no_allocation();
  }
  s.client_sends(allocate()).expect_success();
  s.client_sends(allocate().from(client(2))).expect_error(486);
}

TEST_CASE("when the ports run out the answer says so, and all come back", "[turn]") {
  Scenario s(with_ports(50000, 50009));
  for (int round = 0; round < 2; ++round) {
    for (unsigned i = 1; i <= 10; ++i) s.client_sends(allocate().from(client(i))).expect_success();
    for (unsigned i = 11; i <= 13; ++i) s.client_sends(allocate().from(client(i))).expect_error(508);
    CHECK(s.allocations() == 10);
    if (round == 0) s.advance(600s).expect_expired(10);
  }
  for (unsigned i = 1; i <= 10; ++i) s.client_sends(refresh(0s).from(client(i))).expect_success();
  s.expect_no_allocation();
}

TEST_CASE("two hundred allocations come and go in order", "[turn]") {
  Scenario s;
  for (unsigned i = 0; i < 200; ++i)
    s.client_sends(allocate().lifetime(600s + std::chrono::seconds(i * 7919 % 400)).from(client(i)))
        .expect_success();
  std::size_t gone = 0;
  for (int i = 0; i < 400; ++i) gone += s.advance(i == 0 ? Duration(600s) : Duration(1s)).lifetimes.size();
  CHECK(gone == 200);
  s.expect_no_allocation();
}

}  // namespace
}  // namespace turnpike::turn
