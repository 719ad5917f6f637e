#include "turnpike/auth/credentials.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/rfc_vectors.hpp"
#include "turnpike/stun/message.hpp"

namespace turnpike::auth {
namespace {

using stun::PasswordAlgorithm;
using test::operator""_hex;
using test::to_hex;

using Algorithms = std::vector<PasswordAlgorithm>;

CredentialStore make_store(const Params& params) {
  crypto::Digester digester;
  return CredentialStore(params, digester);
}

UserParams with_password(std::string name, std::string password) {
  return {std::move(name), std::move(password), {}, {}};
}
UserParams with_md5(std::string name) { return {std::move(name), {}, Md5Key{1}, {}}; }
UserParams with_sha256(std::string name) { return {std::move(name), {}, {}, Sha256Key{2}}; }
UserParams with_both(std::string name) { return {std::move(name), {}, Md5Key{1}, Sha256Key{2}}; }

Algorithms offered(const CredentialStore& store) {
  return {store.algorithms().begin(), store.algorithms().end()};
}

TEST_CASE("time-limited names of a user are refused up to a time, in a copy", "[auth]") {
  using namespace std::chrono_literals;
  constexpr WallTime kUntil{1'735'689'600s};
  const CredentialStore store = make_store({"example.org", {with_both("bob")}, {"north-star-secret"}});
  const CredentialStore copy = store.with_refused({{"ann", kUntil}});
  CHECK(copy.refuses({kUntil, "ann"}));
  CHECK_FALSE(copy.refuses({kUntil + 1s, "ann"}));
  CHECK_FALSE(copy.refuses({kUntil, "anna"}));
  CHECK_FALSE(store.refuses({kUntil, "ann"}));
  REQUIRE(copy.find("bob"));
  CHECK(copy.find("bob") == store.find("bob"));
}

TEST_CASE("long-term keys are those of RFC 8489", "[auth]") {
  crypto::Digester digester;
  CHECK(to_hex(long_term_key_md5(digester, "user", "realm", "pass")) == "8493fbc53ba582fb4c044c456bdc40eb");
  CHECK(to_hex(long_term_key_sha256(digester, "user", "realm", "pass")) ==
        "07e934117abd40836e7c6329b54731b2b2d2a5f9a71f544922d75e0730d8251b");
  CHECK(Key(long_term_key_md5(digester, "user", "realm", "pass")).bytes().size() == 16);
  CHECK(Key(long_term_key_sha256(digester, "user", "realm", "pass")).bytes().size() == 32);
}

TEST_CASE("the sample requests are from a configured user", "[auth]") {
  crypto::Digester digester;
  const CredentialStore store(
      {.realm = std::string(test::kLongTermRealm),
       .users = {with_password(std::string(test::kLongTermUsername), std::string(test::kLongTermPassword))},
       .secrets = {}},
      digester);
  const auto by_name = *stun::MessageView::parse(test::kLongTermRequest);
  const User* user = store.find(as_text(*by_name.find(stun::AttributeType::username)));
  REQUIRE(user);
  CHECK(by_name.verify_integrity_sha1(digester, user->key(PasswordAlgorithm::md5)->bytes()));

  const auto by_hash = *stun::MessageView::parse(test::kLongTermSha256Request);
  CHECK(store.find_by_userhash(*by_hash.find(stun::AttributeType::userhash)) == user);
  CHECK(by_hash.verify_integrity_sha256(digester, user->key(PasswordAlgorithm::sha256)->bytes()));
}

TEST_CASE("users are found by name and by hash, and nobody else is", "[auth]") {
  crypto::Digester digester;
  const CredentialStore store = make_store({.realm = "example.org",
                                            .users = {with_password("alice", "a"), with_password("bob", "b")},
                                            .secrets = {}});
  for (const std::string name : {"alice", "bob"}) {
    CAPTURE(name);
    const User* user = store.find(name);
    REQUIRE(user);
    CHECK(user->name == name);
    CHECK(store.find_by_userhash(userhash(digester, name, "example.org")) == user);
    CHECK_FALSE(store.find_by_userhash(userhash(digester, name, "example.com")));
  }
  for (const std::string name : {"", "Alice", "alice ", "alic", "carol", "alice\n"}) {
    CAPTURE(name);
    CHECK_FALSE(store.find(name));
    CHECK_FALSE(store.find_by_userhash(userhash(digester, name, "example.org")));
  }
  CHECK_FALSE(store.find_by_userhash({}));
  CHECK_FALSE(store.find_by_userhash(Bytes(userhash(digester, "alice", "example.org")).first(31)));
}

TEST_CASE("a store that is moved or copied still finds its users", "[auth]") {
  CredentialStore first =
      make_store({.realm = "r", .users = {with_md5("a"), with_md5("short")}, .secrets = {}});
  const CredentialStore copy = first;
  const CredentialStore second = std::move(first);
  CHECK(copy.find("short"));
  REQUIRE(second.find("short"));
  CHECK(second.find("short")->name == "short");
  CHECK(second.find("a"));
}

TEST_CASE("names and passwords are prepared, stored keys taken as they are", "[auth]") {
  crypto::Digester digester;
  const CredentialStore store =
      make_store({.realm = "r",
                  .users = {with_password("re\u0301mi", "pass\u00A0word"), with_both("bob")},
                  .secrets = {}});
  const User* user = store.find("r\u00E9mi");
  REQUIRE(user);
  CHECK(user->key_md5 == long_term_key_md5(digester, "r\u00E9mi", "r", "pass word"));
  CHECK(user->key_sha256 == long_term_key_sha256(digester, "r\u00E9mi", "r", "pass word"));
  CHECK(store.find("bob")->key_md5 == Md5Key{1});
  CHECK(store.find("bob")->key_sha256 == Sha256Key{2});
}

struct Offer {
  std::string what;
  std::vector<UserParams> users;
  std::vector<std::string> secrets;
  Algorithms algorithms;
  bool anonymity;
  bool empty;
};

TEST_CASE("what a challenge offers serves every user", "[auth]") {
  constexpr auto md5 = PasswordAlgorithm::md5;
  constexpr auto sha256 = PasswordAlgorithm::sha256;
  const Offer table[] = {
      {"nobody", {}, {}, {sha256, md5}, false, true},
      {"a password", {with_password("a", "p")}, {}, {sha256, md5}, true, false},
      {"both keys", {with_both("a")}, {}, {sha256, md5}, true, false},
      {"MD5 alone", {with_md5("a")}, {}, {md5}, true, false},
      {"SHA-256 alone", {with_sha256("a")}, {}, {sha256}, true, false},
      {"one of them has MD5 alone", {with_password("a", "p"), with_md5("b")}, {}, {md5}, true, false},
      {"one of them has SHA-256 alone",
       {with_password("a", "p"), with_sha256("b")},
       {},
       {sha256},
       true,
       false},
      {"secrets", {}, {"north"}, {sha256, md5}, false, false},
      {"secrets and users", {with_password("a", "p")}, {"north", "south"}, {sha256, md5}, false, false},
      {"secrets and MD5 alone", {with_md5("a")}, {"north"}, {md5}, false, false},
  };
  for (const Offer& row : table) {
    CAPTURE(row.what);
    const CredentialStore store = make_store({.realm = "r", .users = row.users, .secrets = row.secrets});
    CHECK(offered(store) == row.algorithms);
    CHECK(store.offers_anonymity() == row.anonymity);
    CHECK(store.empty() == row.empty);
    for (const auto algorithm : {md5, sha256})
      CHECK(store.offers(algorithm) == (std::ranges::count(row.algorithms, algorithm) == 1));
    CHECK_FALSE(store.offers(PasswordAlgorithm{3}));
  }
}

TEST_CASE("credentials that cannot work are refused when the store is made", "[auth]") {
  const std::pair<std::string, std::vector<UserParams>> table[] = {
      {"no common algorithm", {with_md5("a"), with_sha256("b")}},
      {"no key at all", {{"a", {}, {}, {}}}},
      {"an empty name", {with_password("", "p")}},
      {"an empty password", {with_password("a", "")}},
      {"a line break in a name", {with_password("a\nb", "p")}},
      {"a password that is no UTF-8", {with_password("a", "\xff")}},
      {"one name twice", {with_password("a", "p"), with_password("a", "q")}},
      {"one name in two spellings", {with_password("\u00E9", "p"), with_password("e\u0301", "q")}},
  };
  for (const auto& [what, users] : table) {
    CAPTURE(what);
    CHECK_THROWS_AS(make_store({.realm = "r", .users = users, .secrets = {}}), std::invalid_argument);
  }
}

}  // namespace
}  // namespace turnpike::auth
