// Requests with access tokens in the long-term check (RFC 7635 §8).
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/access_token.hpp"
#include "support/manual_clock.hpp"
#include "support/request_maker.hpp"
#include "turnpike/auth/long_term.hpp"

namespace turnpike::auth {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::PasswordAlgorithm;
using test::allocate;
using test::RequestMaker;
using test::Signing;
using test::TokenMaker;

const std::string kShortKey = "twenty bytes of key.";
const std::string kLongKey = "thirty-two bytes of session key.";

Params third_party(std::vector<UserParams> users = {}) {
  return {.realm = std::string(test::kRealm),
          .users = std::move(users),
          .secrets = {},
          .third_party = test::north_and_south()};
}

UserParams user(std::string name) {
  const std::string password = name + "'s password";
  return {std::move(name), password, {}, {}};
}

struct TokenDesk {
  explicit TokenDesk(const Params& params = third_party()) : store(params, digester) {}

  test::Octets challenge(const FiveTuple& to) {
    std::array<std::uint8_t, 1024> buffer;
    stun::MessageBuilder builder(buffer, {stun::Method::allocate, stun::Class::error}, {});
    check.add_challenge(store, to, clock.now().wall, builder);
    return {builder.bytes().begin(), builder.bytes().end()};
  }
  std::string nonce(const FiveTuple& to) {
    const test::Octets octets = challenge(to);
    const auto message = *stun::MessageView::parse(octets);
    return std::string(as_text(*message.find(AttributeType::nonce)));
  }

  // Returns 0, or the code of the refusal.
  int judge(const RequestMaker& request, const Identity* known = nullptr) {
    const FiveTuple& from = request.client().tuple;
    const auto octets = request.build(digester, request.needs_nonce() ? nonce(from) : "", {});
    const auto message = *stun::MessageView::parse(octets);
    const auto checked = check.check(store, message, from, clock.now().wall, known);
    if (!checked) {
      had_valid_nonce = checked.error().had_valid_nonce;
      return static_cast<int>(checked.error().code);
    }
    last = *checked;
    return 0;
  }

  TokenMaker token() const { return TokenMaker::at(clock.now().wall); }
  static RequestMaker with(const TokenMaker& token) {
    return allocate().with_token(token.seal(), token.key.kid, token.mac_key);
  }

  crypto::Digester digester;
  CredentialStore store;
  LongTermCheck check{digester, Nonces::MasterKey{1, 2, 3}, 600s};
  test::ManualClock clock;
  Authenticated last;
  bool had_valid_nonce = false;
};

TEST_CASE("a challenge names the server when third parties are configured", "[auth][token]") {
  const auto named = [](const Params& params) {
    TokenDesk desk(params);
    const test::Octets octets = desk.challenge(test::client(1).tuple);
    const auto value = stun::MessageView::parse(octets)->find(AttributeType::third_party_authorization);
    return value ? std::string(as_text(*value)) : "none";
  };
  CHECK(named(third_party()) == "turn.example.org");
  CHECK(named(third_party({user("alice")})) == "turn.example.org");
  CHECK(named({.realm = std::string(test::kRealm), .users = {user("alice")}, .secrets = {}}) == "none");
}

TEST_CASE("with a third party there is more than STUN, and no user is found by hash", "[auth][token]") {
  TokenDesk desk;
  CHECK_FALSE(desk.store.empty());
  CHECK(desk.nonce(test::client(1).tuple).substr(9, 4) == "AAAB");
  TokenDesk both(third_party({user("alice")}));
  CHECK(both.nonce(test::client(1).tuple).substr(9, 4) == "AAAB");
}

TEST_CASE("a client that has a token and signs with its key is admitted", "[auth][token]") {
  TokenDesk desk;
  for (const TokenKeyParams& key : {test::north(), test::south()}) {
    for (const std::string& mac_key : {kShortKey, kLongKey, std::string(64, 'm')}) {
      TokenMaker token = desk.token();
      token.key = key;
      token.mac_key = mac_key;
      CAPTURE(key.kid, mac_key);
      REQUIRE(desk.judge(desk.with(token)) == 0);
      CHECK(desk.last.identity.username == key.kid);
      CHECK(desk.last.identity.is_token());
      CHECK(desk.last.identity.expires == desk.clock.now().wall + 3600s);
      CHECK(as_text(desk.last.identity.key.bytes()) == mac_key);
      CHECK(desk.last.integrity == Integrity::sha1);
      const bool is_long = mac_key.size() >= 32;
      CHECK(desk.judge(desk.with(token).signing(Signing::sha256)) == (is_long ? 0 : 401));
      CHECK(desk.judge(desk.with(token).sha256()) == (is_long ? 0 : 401));
      REQUIRE(desk.judge(desk.with(token).sha256().signing(Signing::sha1)) == 0);
      CHECK(desk.last.integrity == Integrity::sha1);
      CHECK(desk.judge(desk.with(token).fingerprint()) == 0);
    }
  }
}

TEST_CASE("coturn's clients sign with the first sixteen octets", "[auth][token]") {
  TokenDesk desk;
  TokenMaker token = desk.token();
  const std::string beginning = token.mac_key.substr(0, 16);
  REQUIRE(desk.judge(allocate().with_token(token.seal(), "north", beginning)) == 0);
  CHECK(as_text(desk.last.identity.key.bytes()) == beginning);
  for (const std::size_t size : {0, 1, 15, 17, 19}) {
    CAPTURE(size);
    CHECK(desk.judge(allocate().with_token(token.seal(), "north", token.mac_key.substr(0, size))) == 401);
  }
  token.mac_key = kLongKey;
  const RequestMaker sha256 = allocate().with_token(token.seal(), "north", kLongKey.substr(0, 16));
  CHECK(desk.judge(sha256) == 0);
  CHECK(desk.judge(RequestMaker(sha256).signing(Signing::sha256)) == 401);
}

TEST_CASE("every fault of a token is a 401", "[auth][token]") {
  TokenDesk desk(third_party({user("alice")}));
  const TokenMaker good = desk.token();
  const auto changed = [&](auto change) {
    TokenMaker token = good;
    change(token);
    return desk.with(token);
  };
  const auto raw = [&](const test::Octets& octets) {
    return allocate().with_token(octets, "north", good.mac_key);
  };
  test::Octets lying = good.seal();
  store_u16(lying.data(), 0xFFFF);
  const std::pair<std::string, RequestMaker> table[] = {
      {"another session key", allocate().with_token(good.seal(), "north", kLongKey)},
      {"the other key's name", allocate().with_token(good.seal(), "south", good.mac_key)},
      {"nobody's name", allocate().with_token(good.seal(), "west", good.mac_key)},
      {"an empty name", allocate().with_token(good.seal(), "", good.mac_key)},
      {"a user's name", allocate().with_token(good.seal(), "alice", good.mac_key)},
      {"a user's name and password", desk.with(good).as("alice").signing(Signing::sha1)},
      {"a hash for a name", desk.with(good).by_userhash()},
      {"another server", changed([](auto& t) { t.server_name = "turn.example.com"; })},
      {"another key", changed([](auto& t) { t.key.key[0] ^= 1; })},
      {"expired", changed([](auto& t) { t.seconds -= 3605; })},
      {"of the future", changed([](auto& t) { t.seconds += 6; })},
      {"a session key that is too short", changed([](auto& t) { t.mac_key.resize(19); })},
      {"an empty session key", changed([](auto& t) { t.mac_key.clear(); })},
      {"a longer nonce", changed([](auto& t) { t.nonce += "more"; })},
      {"no token in it", raw({})},
      {"one octet", raw({0})},
      {"a nonce's size alone", raw({0, 12})},
      {"a nonce of 65,535 octets that are not there", raw(lying)},
      {"far too long", raw(test::Octets(1000, 7))},
      {"another realm", desk.with(good).realm("example.com")},
  };
  for (const auto& [what, request] : table) {
    CAPTURE(what);
    CHECK(desk.judge(request) == 401);
    CHECK(desk.had_valid_nonce);
  }
  CHECK(desk.judge(desk.with(good).nonce("x")) == 438);
  CHECK(desk.judge(desk.with(good).without(AttributeType::username)) == 400);
  CHECK(desk.judge(desk.with(good).unsigned_by_anybody()) == 401);
  CHECK(desk.judge(desk.with(good)) == 0);
}

TEST_CASE("each octet of a token counts, also in a request that is signed with it", "[auth][token]") {
  TokenDesk desk;
  const TokenMaker token = desk.token();
  for (std::size_t at = 0; at < token.seal().size(); ++at) {
    test::Octets bad = token.seal();
    bad[at] ^= 1;
    CAPTURE(at);
    CHECK(desk.judge(allocate().with_token(bad, "north", token.mac_key)) == 401);
  }
}

TEST_CASE("the list of algorithms may stand beside a token, and must be ours", "[auth][token]") {
  constexpr auto md5 = PasswordAlgorithm::md5;
  constexpr auto sha256 = PasswordAlgorithm::sha256;
  TokenDesk desk;
  TokenMaker token = desk.token();
  token.mac_key = kLongKey;
  CHECK(desk.judge(desk.with(token).choosing(md5)) == 0);
  CHECK(desk.judge(desk.with(token).sha256()) == 0);
  CHECK(desk.judge(desk.with(token).choosing(md5).listing(std::vector{md5})) == 400);
  CHECK(desk.judge(desk.with(token).sha256().listing({})) == 400);

  // The key of a token does not come from a password algorithm, so none may be missing here.
  crypto::Digester digester;
  const Sha256Key key = long_term_key_sha256(digester, "alice", test::kRealm, "alice's password");
  TokenDesk strict(third_party({{"alice", {}, {}, key}}));
  CHECK(strict.judge(allocate()) == 400);
  CHECK(strict.judge(strict.with(token)) == 0);
  CHECK(strict.judge(allocate().sha256().listing(std::vector{sha256})) == 0);
}

TEST_CASE("users and secrets still work beside a third party", "[auth][token]") {
  Params params = third_party({user("alice"), user("north")});
  params.secrets = {"secret"};
  TokenDesk desk(params);
  CHECK(desk.judge(allocate()) == 0);
  CHECK_FALSE(desk.last.identity.is_token());
  CHECK(desk.judge(allocate().sha256()) == 0);
  CHECK(desk.judge(allocate().as("north")) == 0);  // the user, not the key
  CHECK_FALSE(desk.last.identity.is_token());
  CHECK(desk.last.identity.quota_name() == "user north");
  CHECK(desk.judge(desk.with(desk.token())) == 0);
  CHECK(desk.last.identity.is_token());
}

TEST_CASE("a token that nobody asked for changes nothing", "[auth][token]") {
  TokenDesk desk({.realm = std::string(test::kRealm), .users = {user("alice")}, .secrets = {}});
  CHECK(desk.judge(desk.with(desk.token())) == 401);
  CHECK(desk.judge(allocate().raw(AttributeType::access_token, "x")) == 0);  // the server says 420
}

TEST_CASE("keys can be rotated: each is valid in its time", "[auth][token]") {
  Params params = third_party();
  const WallTime now = test::ManualClock().now().wall;
  params.third_party.keys[0].valid_until = now + 100s;
  params.third_party.keys[1].valid_from = now + 50s;
  TokenDesk desk(params);
  const auto judge = [&](const TokenKeyParams& key) {
    TokenMaker token = desk.token();
    token.key = key;
    return desk.judge(desk.with(token));
  };
  CHECK(judge(test::north()) == 0);
  CHECK(judge(test::south()) == 401);
  desk.clock.advance(50s);
  CHECK(judge(test::north()) == 0);
  CHECK(judge(test::south()) == 0);
  desk.clock.advance(50s);
  CHECK(judge(test::north()) == 401);
  CHECK(judge(test::south()) == 0);
}

TEST_CASE("whoever came with a token need not show it again", "[auth][token]") {
  TokenDesk desk(third_party({user("alice")}));
  TokenMaker token = desk.token();
  REQUIRE(desk.judge(desk.with(token)) == 0);
  const Identity known = desk.last.identity;
  const RequestMaker later = allocate().with_session("north", token.mac_key);
  CHECK(desk.judge(later) == 401);
  CHECK(desk.judge(later, &known) == 0);
  CHECK(desk.last.identity.is_same(known));
  CHECK(desk.last.identity.expires == known.expires);
  CHECK(desk.judge(allocate().with_session("south", token.mac_key), &known) == 401);
  CHECK(desk.judge(allocate().with_session("north", kLongKey), &known) == 401);
  CHECK(desk.judge(allocate(), &known) == 0);
  CHECK(desk.last.identity.username == "alice");

  TokenMaker next = token;
  next.mac_key = kLongKey;
  CHECK(desk.judge(desk.with(next), &known) == 0);
  CHECK_FALSE(desk.last.identity.is_same(known));
  CHECK(desk.last.identity.may_act_for(known));
}

TEST_CASE("the identity of a token shows nothing of its contents", "[auth][token]") {
  TokenDesk desk;
  const TokenMaker first = desk.token();
  TokenMaker second = first;
  second.mac_key = kLongKey;
  REQUIRE(desk.judge(desk.with(first)) == 0);
  const Identity one = desk.last.identity;
  REQUIRE(desk.judge(desk.with(second)) == 0);
  const Identity other = desk.last.identity;
  CHECK(one.quota_name() != other.quota_name());
  CHECK(one.quota_name().starts_with("token north/"));
  CHECK(one.quota_name().size() == 6 + 6 + 12);
  REQUIRE(desk.judge(desk.with(first)) == 0);
  CHECK(desk.last.identity.is_same(one));

  Identity alice;
  alice.username = "north";
  CHECK_FALSE(alice.may_act_for(one));
  CHECK_FALSE(one.may_act_for(alice));
  CHECK(one.may_act_for(other));
}

TEST_CASE("a token's end is counted from the earlier of two clocks", "[auth][token]") {
  TokenDesk desk;
  TokenMaker ahead = desk.token();
  ahead.seconds += 4;
  REQUIRE(desk.judge(desk.with(ahead)) == 0);
  CHECK(desk.last.identity.expires == desk.clock.now().wall + 3600s);
  TokenMaker older = desk.token();
  older.seconds -= 600;
  REQUIRE(desk.judge(desk.with(older)) == 0);
  const Identity& identity = desk.last.identity;
  CHECK(identity.expires == desk.clock.now().wall + 3000s);
  CHECK_FALSE(identity.has_expired(*identity.expires + 4999ms));
  CHECK(identity.has_expired(*identity.expires + 5s));
}

}  // namespace
}  // namespace turnpike::auth
