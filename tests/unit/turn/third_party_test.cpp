// Allocations of clients with access tokens (RFC 7635 §10).
#include <catch2/catch.hpp>
#include <string>

#include "support/access_token.hpp"
#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using stun::AttributeType;
using Kind = Output::Lifetime::Kind;

Setup with_third_party() {
  Setup setup;
  setup.auth.third_party = north_and_south();
  return setup;
}

struct Town : Scenario {
  explicit Town(Setup setup = with_third_party()) : Scenario(std::move(setup)) {}

  // Returns a token that was made now.
  TokenMaker token(std::uint32_t lifetime, std::string mac_key = "twenty bytes of key.") const {
    TokenMaker maker = TokenMaker::at(now().wall);
    maker.lifetime = lifetime;
    maker.mac_key = std::move(mac_key);
    return maker;
  }
};

RequestMaker with(RequestMaker request, const TokenMaker& token) {
  return request.with_token(token.seal(), token.key.kid, token.mac_key);
}
RequestMaker in_session(RequestMaker request, const TokenMaker& token) {
  return request.with_session(token.key.kid, token.mac_key);
}

TEST_CASE("a client with a token can have an allocation", "[turn][token]") {
  Town s;
  const TokenMaker token = s.token(3600);
  s.client_sends(with(allocate(), token).fingerprint()).expect_success().expect_lifetime(600s);
  s.client_sends(in_session(create_permission("5.6.7.8:1"), token)).expect_success();
  s.client_sends(in_session(channel_bind(0x4000, "5.6.7.8:1"), token)).expect_success();
  s.client_sends(channel_data(0x4000, "hello")).expect_sent("5.6.7.8:1", "hello");
  s.peer_sends("5.6.7.8:1", "hi").expect_channel_data(0x4000, "hi");
  // The answer is signed as the request, since the key of a token may be too short for SHA-256.
  s.client_sends(
       in_session(refresh(600s), token).choosing(stun::PasswordAlgorithm::md5).signing(Signing::sha1))
      .expect_success();
  s.client_sends(in_session(refresh(0s), token)).expect_success();
  s.expect_no_allocation();
  s.client_sends(allocate()).expect_success();  // alice
}

TEST_CASE("a challenge says that tokens are taken", "[turn][token]") {
  const auto answered = [](Setup setup, int code) {
    Scenario s(std::move(setup));
    RequestMaker request = allocate();
    if (code == 401) request.unsigned_by_anybody();
    if (code == 438) request.nonce("stale");
    return s.client_sends(request).expect_error(code);
  };
  for (const int code : {401, 438}) {
    const Outcome told = answered(with_third_party(), code);
    REQUIRE(told.has(AttributeType::third_party_authorization));
    CHECK(as_text(*told.find(AttributeType::third_party_authorization)) == kServerName);
    CHECK_FALSE(answered({}, code).has(AttributeType::third_party_authorization));
  }
}

TEST_CASE("without third parties, a token is an unknown attribute", "[turn][token]") {
  Scenario s;
  const Outcome outcome = s.client_sends(allocate().raw(AttributeType::access_token, "x")).expect_error(420);
  const Bytes unknown = outcome.find(AttributeType::unknown_attributes).value();
  REQUIRE(unknown.size() == 2);
  CHECK(load_u16(unknown.data()) == 0x001B);
  s.client_sends(with(allocate(), TokenMaker::at(s.now().wall))).expect_error(401);
  s.client_sends(binding().raw(AttributeType::access_token, "x")).expect_error(420);
  Town town;
  town.client_sends(binding().raw(AttributeType::access_token, "x")).expect_success();
}

TEST_CASE("a wrong token is answered as a wrong password is", "[turn][token]") {
  Town s;
  const Outcome password = s.client_sends(allocate().password("guess")).expect_error(401);
  TokenMaker other = s.token(3600);
  other.server_name = "turn.example.com";
  TokenMaker expired = s.token(3600);
  expired.seconds -= 7200;
  for (const TokenMaker& token : {other, expired}) {
    const Outcome outcome = s.client_sends(with(allocate(), token)).expect_error(401);
    outcome.signed_by_server(false);
    CHECK(outcome.refusals.size() == 1);
    Octets ours = outcome.to_clients.at(0).message;
    Octets theirs = password.to_clients.at(0).message;
    std::fill_n(ours.begin() + 8, 12, 0);  // the transaction id
    std::fill_n(theirs.begin() + 8, 12, 0);
    CHECK(ours == theirs);
  }
  s.expect_no_allocation();
}

TEST_CASE("an expired token counts as expired, and the log says so", "[turn][token]") {
  Town s;
  TokenMaker early = s.token(3600);
  early.seconds += 7200;
  CHECK_FALSE(s.client_sends(with(allocate(), early)).expect_error(401).refusals.at(0).expired);
  CHECK(s.counters().expired_credentials == 0);
  TokenMaker over = s.token(3600);
  over.seconds -= 7200;
  CHECK(s.client_sends(with(allocate(), over)).expect_error(401).refusals.at(0).expired);
  CHECK(s.counters().expired_credentials == 1);
  CHECK(s.counters().failures == 0);
}

TEST_CASE("an allocation does not outlive the token", "[turn][token]") {
  Town s;
  const TokenMaker token = s.token(300);
  s.client_sends(with(allocate(), token)).expect_success().expect_lifetime(300s);
  s.advance(100s);
  // A Refresh does not extend it, with the token or without.
  s.client_sends(with(refresh(3600s), token)).expect_success().expect_lifetime(200s);
  s.client_sends(in_session(refresh(), token)).expect_success().expect_lifetime(200s);
  s.advance(199s).expect_no_event();
  s.advance(1s).expect_expired();
  s.client_sends(with(refresh(), token).from(client(2))).expect_error(437);  // within the five seconds
  s.advance(5s);
  s.client_sends(with(allocate(), token)).expect_error(401);
}

TEST_CASE("a long token leaves the limits as they are", "[turn][token]") {
  Town s;
  const TokenMaker token = s.token(UINT32_MAX);
  s.client_sends(with(allocate(), token)).expect_success().expect_lifetime(600s);
  s.client_sends(with(refresh(99999s), token)).expect_success().expect_lifetime(3600s);
}

TEST_CASE("a new token carries an allocation on, whichever key has sealed it", "[turn][token]") {
  Town s;
  const TokenMaker first = s.token(300);
  s.client_sends(with(allocate(), first)).expect_success();
  s.client_sends(in_session(create_permission("5.6.7.8:1"), first)).expect_success();
  s.advance(250s);
  TokenMaker second = s.token(600, "another key that is longer than the first");
  second.key = south();
  s.client_sends(with(refresh(600s), second)).expect_success().expect_lifetime(600s);
  // The first token's key is no longer used.
  s.client_sends(in_session(create_permission("5.6.7.8:1"), first)).expect_error(401);
  s.client_sends(in_session(create_permission("5.6.7.8:1"), second)).expect_success();
  s.client_sends(in_session(refresh(), second).signing(Signing::sha256)).expect_success();
  s.peer_sends("5.6.7.8:1", "hi").expect_data_from("5.6.7.8:1", "hi");
  s.advance(599s).expect_no_event();
  s.advance(1s).expect_expired();
}

TEST_CASE("after a jump of the wall clock, an expired token needs a new one", "[turn][token]") {
  Town s;
  const TokenMaker token = s.token(600);
  s.client_sends(with(allocate(), token)).expect_success();
  s.client_sends(in_session(refresh(), token)).expect_success();  // takes a nonce before the jump
  s.set_wall(595s);
  s.client_sends(in_session(refresh(), token)).expect_success().expect_lifetime(5s);
  s.set_wall(10s);
  const Outcome refused = s.client_sends(in_session(refresh(), token)).expect_error(401);
  refused.signed_by_server(false);
  s.client_sends(with(refresh(), token)).expect_error(401);
  CHECK(s.allocations() == 1);
  s.client_sends(in_session(refresh(0s), token)).expect_success();
  s.expect_no_allocation();
}

TEST_CASE("tokens and users cannot use each other's allocations", "[turn][token]") {
  Town s;
  const TokenMaker token = s.token(3600);
  s.client_sends(with(allocate(), token).from(client(1))).expect_success();
  s.client_sends(allocate().from(client(2))).expect_success();
  s.client_sends(refresh().from(client(1))).expect_error(441);
  s.client_sends(create_permission("5.6.7.8:1").from(client(1))).expect_error(441);
  s.client_sends(with(refresh(), token).from(client(2))).expect_error(441);
  s.client_sends(with(create_permission("5.6.7.8:1"), token).from(client(2))).expect_error(441);
  s.client_sends(in_session(refresh(), token).from(client(2))).expect_error(401);
  s.client_sends(with(allocate(), token).from(client(1))).expect_error(437);
  s.client_sends(with(allocate(), token).from(client(2))).expect_error(437);

  Setup namesake = with_third_party();
  namesake.auth.users.push_back({"north", "north's password", {}, {}});
  Town other(namesake);
  other.client_sends(with(allocate(), other.token(3600))).expect_success();
  other.client_sends(refresh().as("north")).expect_error(441);
}

TEST_CASE("an Allocate with a token that is repeated gets the same answer", "[turn][token]") {
  Town s;
  const TokenMaker token = s.token(3600);
  const std::string nonce = s.nonce_of(client(1));
  const RequestMaker request = with(allocate(), token).nonce(nonce).transaction(7);
  const Outcome first = s.client_sends(request).expect_success();
  s.advance(1s);
  const Outcome second = s.client_sends(request).expect_success();
  CHECK(first.to_clients[0].message == second.to_clients[0].message);
  CHECK(s.allocations() == 1);
}

TEST_CASE("a quota counts a token, which is one grant", "[turn][token]") {
  Setup setup = with_third_party();
  setup.limits.allocations_per_user = 2;
  Town s(setup);
  const TokenMaker first = s.token(3600);
  const TokenMaker second = s.token(3600, "the key of another token");
  s.client_sends(with(allocate(), first).from(client(1))).expect_success();
  s.client_sends(with(allocate(), first).from(client(2))).expect_success();
  s.client_sends(with(allocate(), first).from(client(3))).expect_error(486);
  s.client_sends(with(allocate(), second).from(client(3))).expect_success();
  s.client_sends(with(refresh(0s), second).from(client(1))).expect_success();
  s.client_sends(with(allocate(), first).from(client(1))).expect_success();
}

TEST_CASE("a reservation of one token can be claimed with the next", "[turn][token]") {
  Town s;
  const TokenMaker first = s.token(3600);
  const TokenMaker second = s.token(3600, "the key of another token");
  const auto reserved = s.client_sends(with(allocate().even_port(true), first)).expect_success().token();
  s.client_sends(allocate().claiming(reserved).from(client(2))).expect_error(508);  // not by a user
  s.client_sends(with(allocate().claiming(reserved), second).from(client(2))).expect_success();
}

TEST_CASE("a data connection needs the key of its allocation, and no token", "[turn][token][tcp]") {
  Setup setup = with_third_party();
  setup.tcp_relay = true;
  setup.workers = 2;
  Town s(setup);
  Client control = client_on(Transport::tcp, 1);
  Client data = client_on(Transport::tcp, 2);
  data.worker = 1;
  const TokenMaker token = s.token(3600);
  s.client_sends(with(allocate_tcp(), token).from(control)).expect_success();
  const Outcome asked = s.client_sends(in_session(connect("5.6.7.8:80"), token).from(control));
  const ConnectionId id = s.connection_ends_up(true, asked).expect_success().connection_id();
  const auto bind = [&](const TokenMaker& by) {
    return in_session(connection_bind(static_cast<std::uint32_t>(id)), by).from(data);
  };
  const TokenMaker other = s.token(3600, "the key of another token");
  s.client_sends(bind(other)).expect_error(401);
  s.client_sends(with(connection_bind(static_cast<std::uint32_t>(id)), other).from(data)).expect_error(400);
  s.client_sends(connection_bind(static_cast<std::uint32_t>(id)).from(data)).expect_error(400);  // alice
  s.client_sends(in_session(connection_bind(12345), token).from(data)).expect_error(401);
  s.client_sends(bind(token)).expect_success();
  s.client_sends(bind(token)).expect_error(401);  // nobody waits any more
  s.client_sends(in_session(refresh(0s), token).from(control)).expect_success();
}

TEST_CASE("a ticket moves an allocation only with the key of its own token", "[turn][token][mobility]") {
  Setup setup = with_third_party();
  setup.mobility = true;
  setup.workers = 2;
  Town s(setup);
  const unsigned worker = GENERATE(0U, 1U);
  const Client before = client(1, 0);
  const Client after = client(2, worker);
  const TokenMaker own = s.token(3600);
  const TokenMaker other = s.token(1200, "the key of another token");
  const std::string ticket = s.client_sends(with(allocate_mobile(), own).from(before)).ticket();
  s.client_sends(refresh_with(ticket).from(after)).expect_error(441);  // alice
  s.client_sends(with(refresh_with(ticket), other).from(after)).expect_error(441);
  s.client_sends(with(refresh(0s).raw(AttributeType::mobility_ticket, ticket), other).from(after))
      .expect_error(441);
  s.client_sends(in_session(refresh_with(ticket), own).from(after)).expect_error(401);

  SECTION("which is good where it goes") {
    s.client_sends(with(refresh_with(ticket), own).from(after)).expect_success().expect_lifetime(600s);
    s.client_sends(in_session(create_permission("5.6.7.8:1"), own).from(before)).expect_success();
    s.client_sends(with(create_permission("5.6.7.8:1"), other).from(after)).expect_error(437);
    const Outcome used = s.client_sends(in_session(create_permission("5.6.7.8:1"), own).from(after));
    CHECK(used.expect_success().count(Kind::moved) == 1);
    s.client_sends(in_session(refresh(0s), own).from(after)).expect_success();
    CHECK(s.allocations() == 0);
  }
  SECTION("which may have another expiry by then") {
    const TokenMaker renewed = s.token(100);
    s.client_sends(with(refresh_with(ticket), renewed).from(after)).expect_success().expect_lifetime(100s);
    s.client_sends(in_session(refresh(), own).from(after)).expect_success().expect_lifetime(100s);
  }
  SECTION("which is that of the token that it was refreshed with last") {
    s.client_sends(with(refresh(), other).from(before)).expect_success();
    s.client_sends(with(refresh_with(ticket), own).from(after)).expect_error(441);
    s.client_sends(with(refresh_with(ticket), other).from(after)).expect_success();
    s.client_sends(in_session(create_permission("5.6.7.8:1"), other).from(after)).expect_success();
  }
  SECTION("and one that is over moves nothing, and ends what it has") {
    const auto again = [&](RequestMaker request) {
      return s.client_sends(in_session(std::move(request), own).from(after));
    };
    s.client_sends(with(refresh_with(ticket), own).from(after)).expect_success();
    s.set_wall(3590s);
    again(refresh_with(ticket)).expect_success().expect_lifetime(10s);
    s.set_wall(15s);
    again(refresh_with(ticket)).expect_error(401).signed_by_server(false);
    CHECK(s.allocations() == 1);
    again(refresh(0s).raw(AttributeType::mobility_ticket, ticket)).expect_success();
    CHECK(s.allocations() == 0);
  }
}

TEST_CASE("an expired token is not a wrong password, but one of another key is", "[turn][token]") {
  Setup setup = with_third_party();
  setup.limits.failures_per_second = 10;
  Town s(setup);
  const TokenMaker token = s.token(10);
  s.advance(60s);
  const std::string nonce = s.nonce_of(client(1));
  for (int i = 0; i < 100; ++i) s.client_sends(with(allocate(), token).nonce(nonce)).expect_error(401);
  TokenMaker wrong = s.token(3600);
  const auto try_wrong = [&] {
    return s.client_sends(
        allocate().nonce(nonce).with_token(wrong.seal(), wrong.key.kid, "not its own key....."));
  };
  for (int i = 0; i < 20; ++i) try_wrong().expect_error(401);
  try_wrong().expect_silence();
  s.client_sends(with(allocate(), s.token(3600)).nonce(nonce)).expect_success();
}

}  // namespace
}  // namespace turnpike::turn
