// What a reload finds changed.
#include <catch2/catch.hpp>
#include <string>

#include "config/config.hpp"

namespace turnpike::config {
namespace {

Config config_of(const std::string& text) {
  const Result<Config, Errors> config = parse(text, "t.yaml");
  REQUIRE(config.has_value());
  return *config;
}

std::string changes(const std::string& before, const std::string& after) {
  std::string text;
  for (const ChangedKey& key : find_changes(config_of(before), config_of(after))) {
    text += key.path + ": " + key.change + (key.needs_restart ? " (restart)\n" : "\n");
  }
  return text;
}

TEST_CASE("a changed key is named with what it was and what it is", "[config]") {
  CHECK(changes("realm: a.org", "realm: a.org").empty());
  CHECK(changes("realm: a.org", "realm: b.org") == "realm: a.org -> b.org\n");
  CHECK(changes("", "limits: {allocations: 5}") == "limits.allocations: 0 -> 5\n");
  CHECK(changes("limits: {allocations: 0}", "").empty());
  CHECK(changes("", "workers: 3") == "workers: auto -> 3 (restart)\n");
  CHECK(changes("peers: {allow: [10.0.0.0/8]}", "peers: {allow: [10.0.0.0/8, 10.1.0.0/16]}") ==
        "peers.allow: [10.0.0.0/8] -> [10.0.0.0/8, 10.1.0.0/16]\n");
}

TEST_CASE("a changed secret is never shown", "[config]") {
  CHECK(changes("auth: {users: {a: hunter2}}", "auth: {users: {a: hunter3}}") == "auth.users: changed\n");
  CHECK(changes("auth: {strict_expiry: true}", "auth: {nonce_lifetime: 60s}") ==
        "auth.nonce_lifetime: 600s -> 60s\nauth.strict_expiry: true -> false\n");
  CHECK(changes("", "auth: {secrets: [a-very-long-secret-indeed]}") == "auth.secrets: changed\n");
  CHECK(changes("", "admin: {token_secrets: [a-very-long-secret-indeed]}") ==
        "admin.token_secrets: changed\n");
}

}  // namespace
}  // namespace turnpike::config
