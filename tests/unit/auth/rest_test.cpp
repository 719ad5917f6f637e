#include "turnpike/auth/rest.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "turnpike/auth/long_term.hpp"

namespace turnpike::auth {
namespace {

struct Name {
  std::string text;
  std::optional<std::int64_t> expires;  // nothing: no REST name
  std::string user;
};

TEST_CASE("a REST name consists of digits, and a user after a colon", "[auth]") {
  const Name table[] = {
      {"1700000000:alice", 1700000000, "alice"},
      {"1700000000", 1700000000, ""},
      {"1700000000:", 1700000000, ""},
      {"0:alice", 0, "alice"},
      {"000000000000001:alice", 1, "alice"},
      {"999999999999999:a", 999999999999999, "a"},
      {"1:a:b", 1, "a:b"},
      {"1:2:b", 1, "2:b"},
      {"1: ", 1, " "},
      {"1:\xff", 1, "\xff"},
      {"1000000000000000:a", {}, ""},  // 16 digits
      {"18446744073709551617:a", {}, ""},
      {"", {}, ""},
      {":", {}, ""},
      {":alice", {}, ""},
      {"alice", {}, ""},
      {"alice:1700000000", {}, ""},
      {"-1:a", {}, ""},
      {"+1:a", {}, ""},
      {" 1:a", {}, ""},
      {"1 :a", {}, ""},
      {"1.5:a", {}, ""},
      {"1e9:a", {}, ""},
      {"0x10:a", {}, ""},
      {"1_000:a", {}, ""},
      {"12a:b", {}, ""},
      {"\u0661:a", {}, ""},  // a digit, but not one of ours
      {"1;a", {}, ""},
  };
  for (const Name& row : table) {
    CAPTURE(row.text);
    const std::optional<RestName> parsed = parse_rest_name(row.text);
    CHECK(parsed.has_value() == row.expires.has_value());
    if (!parsed || !row.expires) continue;
    CHECK(parsed->expires == WallTime(std::chrono::seconds(*row.expires)));
    CHECK(parsed->user == row.user);
  }
}

TEST_CASE("a name with an expiry belongs to the same user as the name alone", "[auth]") {
  CHECK(is_name_of("ann", "ann"));
  CHECK(is_name_of("1792000000:ann", "ann"));
  CHECK(is_name_of("1792000000:ann", "1792000000:ann"));
  CHECK_FALSE(is_name_of("1792000000:joann", "ann"));
  CHECK_FALSE(is_name_of("x:ann", "ann"));
  CHECK_FALSE(is_name_of("1792000000", ""));
}

TEST_CASE("the password is made from the whole name", "[auth]") {
  crypto::Digester digester;
  CHECK(rest_password(digester, "north", "1700000000:alice") == "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
  CHECK(rest_password(digester, "north", "1700000000") == "CWyHi3zCeWqXBir9thl4m+iZPRY=");
  CHECK(rest_password(digester, "south", "1700000000:alice") != "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
}

TEST_CASE("a quota counts the user, whatever the expiry", "[auth]") {
  const auto quota_name = [](std::string name, bool rest) {
    Identity identity{std::move(name), {}, std::nullopt};
    if (rest) identity.expires = WallTime();
    return identity.quota_name();
  };
  CHECK(quota_name("1700000000:alice", true) == quota_name("1700000600:alice", true));
  CHECK(quota_name("1700000000:a:b", true) == quota_name("1700000600:a:b", true));
  CHECK(quota_name("1700000000:a:b", true) != quota_name("1700000000:b", true));
  CHECK(quota_name("alice", false) == quota_name("alice", false));
}

TEST_CASE("many clients share the name of a configured user, of a guest or of nobody", "[auth]") {
  const auto is_shared = [](std::string name, std::optional<WallTime> expires, std::string token = "") {
    return Identity{std::move(name), {}, expires, std::move(token)}.is_shared();
  };
  CHECK(is_shared("alice", std::nullopt));
  CHECK(is_shared("1700000000:alice", std::nullopt));  // a configured user of that name
  CHECK(is_shared("1700000000", WallTime()));
  CHECK(is_shared("1700000000:", WallTime()));
  CHECK(is_shared("1700000000:guest-0a1b2c3d4e5f", WallTime()));
  CHECK_FALSE(is_shared("1700000000:alice", WallTime()));
  CHECK_FALSE(is_shared("1700000000:alice:", WallTime()));
  CHECK_FALSE(is_shared("1700000000:", WallTime(), "token"));
}

TEST_CASE("no subject has the name of a guest, or that of another subject", "[auth]") {
  CHECK(user_of_subject("ann") == "ann");
  CHECK(user_of_subject("guest") == "guest");
  CHECK(user_of_subject("guest-0a1b2c3d4e5f") == "sub-guest-0a1b2c3d4e5f");
  CHECK(user_of_subject("sub-guest-0a1b2c3d4e5f") == "sub-sub-guest-0a1b2c3d4e5f");
  CHECK(user_of_subject("sub-ann") == "sub-sub-ann");
  CHECK(is_guest_name("guest-0a1b2c3d4e5f"));
  CHECK_FALSE(is_guest_name(user_of_subject("guest-0a1b2c3d4e5f")));
  CHECK_FALSE(is_guest_name("room-of-ann"));
}

TEST_CASE("names of different kinds are different names in a quota", "[auth]") {
  const Identity names[] = {{"alice", {}, std::nullopt},
                            {"1700000000:alice", {}, WallTime()},
                            {"1700000000:alice", {}, std::nullopt},  // a configured user of that name
                            {"alice", {}, WallTime(), "alice"},      // an access token
                            {"1700000000", {}, WallTime()},          // an expiry alone is itself,
                            {"1700000001", {}, WallTime()},
                            {"1700000000:", {}, WallTime()},
                            {"1700000001:", {}, WallTime()},
                            {"1700000000:1700000000", {}, WallTime()},
                            {"rest alice", {}, std::nullopt},
                            {"expiry 1700000000", {}, std::nullopt}};
  for (const Identity& one : names) {
    CHECK_FALSE(one.quota_name().empty());
    for (const Identity& other : names) {
      CAPTURE(one.username, other.username);
      CHECK((one.quota_name() == other.quota_name()) == (&one == &other));
    }
  }
}

}  // namespace
}  // namespace turnpike::auth
