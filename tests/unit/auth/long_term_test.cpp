#include "turnpike/auth/long_term.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/manual_clock.hpp"
#include "support/request_maker.hpp"
#include "turnpike/auth/rest.hpp"

namespace turnpike::auth {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::PasswordAlgorithm;
using test::allocate;
using test::RequestMaker;
using test::Signing;

constexpr auto md5 = PasswordAlgorithm::md5;
constexpr auto sha256 = PasswordAlgorithm::sha256;

Params users_and(std::vector<std::string> secrets) {
  return {.realm = std::string(test::kRealm),
          .users = {{"alice", "alice's password", {}, {}}, {"bob", "bob's password", {}, {}}},
          .secrets = std::move(secrets)};
}

// The result is 0 and a name, or an error code.
struct Verdict {
  int code = 0;
  std::string username;
  bool had_valid_nonce = true;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};
std::ostream& operator<<(std::ostream& out, const Verdict& v) {
  return out << v.code << ' ' << v.username << ' ' << v.had_valid_nonce;
}

struct Desk {
  explicit Desk(const Params& params) : store(params, digester) {}

  std::string challenge(const FiveTuple& to) {
    std::array<std::uint8_t, 512> buffer;
    stun::MessageBuilder builder(buffer, {stun::Method::allocate, stun::Class::error}, {});
    check.add_challenge(store, to, clock.now().wall, builder);
    const auto message = *stun::MessageView::parse(builder.bytes());
    algorithms = message.find(AttributeType::password_algorithms).value().size() / 4;
    CHECK(as_text(*message.find(AttributeType::realm)) == test::kRealm);
    return std::string(as_text(*message.find(AttributeType::nonce)));
  }

  Verdict judge(const RequestMaker& request, const Identity* known = nullptr) {
    const FiveTuple& from = request.client().tuple;
    const auto octets = request.build(digester, request.needs_nonce() ? challenge(from) : "", {});
    return judge(octets, from, known);
  }

  Verdict judge(Bytes octets, const FiveTuple& from, const Identity* known = nullptr) {
    const auto message = *stun::MessageView::parse(octets);
    const auto checked = check.check(store, message, from, clock.now().wall, known);
    if (!checked) return {static_cast<int>(checked.error().code), {}, checked.error().had_valid_nonce};
    last = *checked;
    return {0, last.identity.username};
  }

  crypto::Digester digester;
  CredentialStore store;
  LongTermCheck check{digester, Nonces::MasterKey{1, 2, 3}, 600s};
  test::ManualClock clock;
  Authenticated last;
  std::size_t algorithms = 0;
};

const Verdict kUnauthenticated{401, "", true};
const Verdict kBad{400, "", true};
const Verdict kBadBeforeNonce{400, "", false};
const Verdict kStale{438, "", false};
const Verdict kAlice{0, "alice", true};

TEST_CASE("the checks are made in the order of their codes 401, 400, 438, 401", "[auth]") {
  Desk desk(users_and({}));
  const auto but_for = [](AttributeType type) { return allocate().without(type); };
  const std::tuple<std::string, RequestMaker, Verdict> table[] = {
      {"nothing", allocate().unsigned_by_anybody(), {401, "", false}},
      {"names but no integrity",
       allocate().raw(AttributeType::username, "alice").unsigned_by_anybody(),
       {401, "", false}},
      {"no name", but_for(AttributeType::username), kBadBeforeNonce},
      {"no realm", but_for(AttributeType::realm), kBadBeforeNonce},
      {"no nonce", but_for(AttributeType::nonce), kBadBeforeNonce},
      {"no name, and a nonce of somebody else", but_for(AttributeType::username).nonce("x"), kBadBeforeNonce},
      {"no name, SHA-256", but_for(AttributeType::username).sha256(), kBadBeforeNonce},
      {"a name too long", allocate().as(std::string(513, 'a')), kBadBeforeNonce},
      {"the longest name of RFC 5389", allocate().as(std::string(512, 'a')), kUnauthenticated},
      {"a hash too short",
       allocate().without(AttributeType::username).raw(AttributeType::userhash, std::string(31, 'x')),
       kBadBeforeNonce},
      {"a nonce of nobody", allocate().nonce("x"), kStale},
      {"an empty nonce", allocate().nonce(""), kStale},
      {"stale comes before a wrong password", allocate().nonce("x").password("y"), kStale},
      {"stale comes before an unknown user", allocate().nonce("x").as("carol"), kStale},
      {"stale comes before a wrong realm", allocate().nonce("x").realm("y"), kStale},
      {"another realm", allocate().realm("example.com"), kUnauthenticated},
      {"an empty realm", allocate().realm(""), kUnauthenticated},
      {"a realm in another case", allocate().realm("Example.org"), kUnauthenticated},
      {"a wrong password", allocate().password("guess"), kUnauthenticated},
      {"an empty password", allocate().password(""), kUnauthenticated},
      {"somebody else's password", allocate().as("alice", "bob's password"), kUnauthenticated},
      {"an unknown user", allocate().as("carol"), kUnauthenticated},
      {"an empty name", allocate().as("", ""), kUnauthenticated},
      {"a name with more behind it", allocate().as(std::string("alice\0", 6), "alice's password"),
       kUnauthenticated},
      {"a wrong password, SHA-256", allocate().password("guess").sha256(), kUnauthenticated},
      {"alice", allocate(), kAlice},
      {"alice, SHA-256", allocate().sha256(), kAlice},
      {"alice, both attributes", allocate().sha256().both_integrities(), kAlice},
      {"alice by hash", allocate().by_userhash(), kAlice},
      {"alice by hash, SHA-256", allocate().by_userhash().sha256(), kAlice},
      {"bob", allocate().as("bob"), {0, "bob", true}},
      {"alice with a fingerprint", allocate().fingerprint(), kAlice},
  };
  for (const auto& [what, request, verdict] : table) {
    CAPTURE(what);
    CHECK(desk.judge(request) == verdict);
  }
}

TEST_CASE("a bid-down of the password algorithm is detected", "[auth]") {
  Desk desk(users_and({}));
  using List = std::vector<PasswordAlgorithm>;
  const auto odd_list = [](std::string_view octets) {
    return allocate().sha256().listing({}).raw(AttributeType::password_algorithms, octets);
  };
  const std::tuple<std::string, RequestMaker, Verdict> table[] = {
      {"neither is MD5", allocate(), kAlice},
      {"neither, with MESSAGE-INTEGRITY-SHA256", allocate().signing(Signing::sha256), kAlice},
      {"MD5 said out loud", allocate().choosing(md5), kAlice},
      {"SHA-256 with MESSAGE-INTEGRITY alone", allocate().sha256().signing(Signing::sha1), kAlice},
      {"the choice is missing", allocate().sha256().naming_algorithm({}), kBad},
      {"the list is missing", allocate().sha256().listing({}), kBad},
      {"the better one was taken off the list", allocate().choosing(md5).listing(List{md5}), kBad},
      {"another order", allocate().sha256().listing(List{md5, sha256}), kBad},
      {"one too many", allocate().sha256().listing(List{sha256, md5, PasswordAlgorithm{3}}), kBad},
      {"one twice", allocate().sha256().listing(List{sha256, sha256}), kBad},
      {"an empty list", allocate().sha256().listing(List{}), kBad},
      {"half a list", odd_list(std::string_view("\0\2\0\0\0\1", 6)), kBad},
      {"a list with parameters", odd_list(std::string_view("\0\2\0\4abcd\0\1\0\0", 12)), kBad},
      {"an algorithm not offered", allocate().sha256().naming_algorithm(3), kBad},
      {"algorithm 0", allocate().sha256().naming_algorithm(0), kBad},
      {"a choice of three octets",
       allocate().sha256().naming_algorithm({}).raw(AttributeType::password_algorithm,
                                                    std::string_view("\0\2\0", 3)),
       kBad},
      {"a choice with parameters",
       allocate().sha256().naming_algorithm({}).raw(AttributeType::password_algorithm,
                                                    std::string_view("\0\2\0\4abcd", 8)),
       kBad},
      {"signed with the other key", allocate().sha256().naming_algorithm(1), kUnauthenticated},
      {"signed with the other key, the other way", allocate().choosing(md5).naming_algorithm(2),
       kUnauthenticated},
      {"what stands behind the integrity does not count",
       allocate().behind_integrity([](auto& b) { b.add_password_algorithm(sha256); }), kAlice},
  };
  for (const auto& [what, request, verdict] : table) {
    CAPTURE(what);
    CHECK(desk.judge(request) == verdict);
  }
}

// RFC 8489 §9.2.4: MESSAGE-INTEGRITY is only for clients that name no algorithm. The last two rows could also
// be requests from which an attacker has taken MESSAGE-INTEGRITY-SHA256, which is the last attribute.
TEST_CASE("an answer carries the attribute that the request had, or the better one", "[auth]") {
  Desk desk(users_and({}));
  const std::tuple<RequestMaker, Integrity, PasswordAlgorithm> table[] = {
      {allocate(), Integrity::sha1, md5},
      {allocate().signing(Signing::sha256), Integrity::sha256, md5},
      {allocate().sha256(), Integrity::sha256, sha256},
      {allocate().sha256().both_integrities(), Integrity::sha256, sha256},
      {allocate().choosing(md5), Integrity::sha256, md5},
      {allocate().choosing(md5).signing(Signing::sha1), Integrity::sha256, md5},
      {allocate().sha256().signing(Signing::sha1), Integrity::sha256, sha256},
  };
  for (const auto& [request, integrity, algorithm] : table) {
    REQUIRE(desk.judge(request) == kAlice);
    CHECK(desk.last.integrity == integrity);
    CHECK(desk.last.identity.key.algorithm == algorithm);
    CHECK(as_text(desk.last.identity.key.bytes()) == as_text(request.key(desk.digester).bytes()));
    CHECK_FALSE(desk.last.identity.expires);
  }
}

TEST_CASE("where one integrity attribute is wrong, the better one decides", "[auth]") {
  Desk desk(users_and({}));
  const RequestMaker request = allocate().sha256().both_integrities();
  const FiveTuple from = request.client().tuple;
  test::Octets octets = request.build(desk.digester, desk.challenge(from), {});
  CHECK(desk.judge(octets, from) == kAlice);
  octets.back() ^= 1;  // of MESSAGE-INTEGRITY-SHA256
  CHECK(desk.judge(octets, from) == kUnauthenticated);
}

TEST_CASE("every octet that is covered counts", "[auth]") {
  Desk desk(users_and({"north"}));
  for (const RequestMaker& request : {allocate(), allocate().sha256()}) {
    const FiveTuple from = request.client().tuple;
    const test::Octets good = request.build(desk.digester, desk.challenge(from), {});
    REQUIRE(desk.judge(good, from) == kAlice);
    for (std::size_t at = 0; at < good.size(); ++at) {
      test::Octets bad = good;
      bad[at] ^= 0x04;
      if (!stun::MessageView::parse(bad)) continue;
      CAPTURE(at);
      CHECK(desk.judge(bad, from).code != 0);
    }
  }
}

TEST_CASE("nonces belong to one client and one time", "[auth]") {
  Desk desk(users_and({}));
  const std::string nonce = desk.challenge(test::client(1).tuple);
  CHECK(desk.judge(allocate().nonce(nonce)) == kAlice);
  CHECK(desk.judge(allocate().nonce(nonce).from(test::client(2))) == kStale);
  CHECK(desk.judge(allocate().nonce(nonce).from(test::client_on(Transport::tcp))) == kStale);
  test::Client other_port = test::client(1);
  other_port.tuple.client.port += 1;
  CHECK(desk.judge(allocate().nonce(nonce).from(other_port)) == kStale);
  desk.clock.advance(601s);
  CHECK(desk.judge(allocate().nonce(nonce)) == kStale);
  CHECK(desk.judge(allocate()) == kAlice);
}

TEST_CASE("users that have one kind of key are offered that kind alone", "[auth]") {
  crypto::Digester digester;
  const Md5Key key = long_term_key_md5(digester, "alice", test::kRealm, "alice's password");
  Desk desk({.realm = std::string(test::kRealm), .users = {{"alice", {}, key, {}}}, .secrets = {}});
  CHECK(desk.judge(allocate()) == kAlice);
  CHECK(desk.algorithms == 1);
  CHECK(desk.judge(allocate().choosing(md5).listing(std::vector{md5})) == kAlice);
  CHECK(desk.judge(allocate().sha256().listing(std::vector{md5})) == kBad);
  CHECK(desk.judge(allocate().sha256()) == kBad);

  const Sha256Key long_key = long_term_key_sha256(digester, "alice", test::kRealm, "alice's password");
  Desk strict({.realm = std::string(test::kRealm), .users = {{"alice", {}, {}, long_key}}, .secrets = {}});
  CHECK(strict.judge(allocate().sha256().listing(std::vector{sha256})) == kAlice);
  CHECK(strict.judge(allocate()) == kBad);
}

TEST_CASE("the anonymity bit is there where everybody can be found by hash", "[auth]") {
  const auto feature = [](const Params& params) {
    Desk desk(params);
    return desk.challenge(test::client(1).tuple).substr(9, 4);
  };
  CHECK(feature(users_and({})) == "AAAD");
  CHECK(feature(users_and({"north"})) == "AAAB");
  CHECK(feature({.realm = std::string(test::kRealm), .users = {}, .secrets = {"north"}}) == "AAAB");
}

struct RestDesk : Desk {
  RestDesk() : Desk(users_and({"north", "south"})) {}

  std::string name(Duration lifetime, std::string_view user) const {
    const auto expiry =
        std::chrono::floor<std::chrono::seconds>(clock.now().wall + lifetime).time_since_epoch();
    return std::to_string(expiry.count()) + ":" + std::string(user);
  }
  RequestMaker by(const std::string& name, std::string_view secret) {
    return allocate().as(name, rest_password(digester, secret, name));
  }
};

TEST_CASE_METHOD(RestDesk, "REST names are good with each of the secrets", "[auth]") {
  const std::string guest = name(1h, "guest");
  for (const std::string secret : {"north", "south"}) {
    CAPTURE(secret);
    CHECK(judge(by(guest, secret)) == Verdict{0, guest});
    CHECK(judge(by(guest, secret).sha256()) == Verdict{0, guest});
    CHECK(last.identity.quota_name() == "rest guest");
    CHECK(last.identity.expires == std::chrono::floor<std::chrono::seconds>(clock.now().wall + 1h));
  }
  CHECK(judge(by(guest, "east")) == kUnauthenticated);
  CHECK(judge(by(guest, "")) == kUnauthenticated);
  CHECK(judge(by("guest", "north")) == kUnauthenticated);  // no expiry
  CHECK(judge(by("-1:guest", "north")) == kUnauthenticated);
  CHECK(judge(by("99999999999999999:guest", "north")) == kUnauthenticated);
  CHECK(judge(by(guest, "north").by_userhash()) == kUnauthenticated);
  CHECK(judge(allocate()) == kAlice);
  // Whether the name has expired is checked by Allocate.
  const std::string late = name(-1h, "guest");
  CHECK(judge(by(late, "north")) == Verdict{0, late});
  CHECK(last.identity.expires < clock.now().wall);
}

TEST_CASE("a configured user's name is not open to REST passwords", "[auth]") {
  Params params = users_and({"north"});
  params.users.push_back({"1800000000:alice", "own password", {}, {}});
  Desk desk(params);
  const std::string name = "1800000000:alice";
  CHECK(desk.judge(allocate().as(name, rest_password(desk.digester, "north", name))) == kUnauthenticated);
  CHECK(desk.judge(allocate().as(name, "own password")) == Verdict{0, name});
  CHECK(desk.last.identity.quota_name() == "user " + name);
}

TEST_CASE_METHOD(RestDesk, "whoever is known keeps the key", "[auth]") {
  const std::string guest = name(1h, "guest");
  REQUIRE(judge(by(guest, "north")).code == 0);
  const Identity known = last.identity;

  // This server no longer has the secret.
  Desk later({.realm = std::string(test::kRealm), .users = {}, .secrets = {"west"}});
  CHECK(later.judge(by(guest, "north")) == kUnauthenticated);
  CHECK(later.judge(by(guest, "north"), &known) == Verdict{0, guest});
  CHECK(later.last.identity.expires == known.expires);
  CHECK(later.judge(by(guest, "north").password("guess"), &known) == kUnauthenticated);
  CHECK(later.judge(by(guest, "north").nonce("stale"), &known) == kStale);
  CHECK(later.judge(by(guest, "north").sha256(), &known) == kUnauthenticated);  // its key is MD5
  const std::string other = name(1h, "other");
  CHECK(later.judge(by(other, "north"), &known) == kUnauthenticated);
  CHECK(later.judge(by(other, "west"), &known) == Verdict{0, other});
  CHECK(later.judge(by(guest, "west"), &known) == Verdict{0, guest});
}

TEST_CASE("a known key serves its own name and its own algorithm", "[auth]") {
  Desk desk(users_and({}));
  REQUIRE(desk.judge(allocate()) == kAlice);
  const Identity alice = desk.last.identity;
  const RequestMaker another_name =
      allocate().without(AttributeType::username).raw(AttributeType::username, "bob");  // with alice's key
  CHECK(desk.judge(another_name, &alice) == kUnauthenticated);
  CHECK(desk.judge(allocate().choosing(md5).naming_algorithm(2), &alice) == kUnauthenticated);
  CHECK(desk.judge(allocate().sha256(), &alice) == kAlice);  // from the store
  CHECK(desk.last.identity.key.algorithm == sha256);
  CHECK(desk.judge(allocate().as("bob"), &alice) == Verdict{0, "bob"});
  CHECK(desk.judge(allocate().by_userhash(), &alice) == kAlice);
}

}  // namespace
}  // namespace turnpike::auth
