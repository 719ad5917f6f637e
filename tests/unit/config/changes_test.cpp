// What a reload reports as changed.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

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

TEST_CASE("a section that the daemon has from its start or not at all needs a restart", "[config]") {
  const std::string page = "signaling: {access: open, listen: 'http://127.0.0.1:8080'}";
  CHECK(changes("", page) == "signaling: off -> on (restart)\nsignaling.access:  -> open (restart)\n");
  CHECK(changes(page, "") == "signaling: on -> off (restart)\nsignaling.access: open ->  (restart)\n");
  const std::string pem = "'" TURNPIKE_SOURCE_DIR "/CMakeLists.txt'";
  const std::string tls = "tls: {certificate: " + pem + ", private_key: " + pem + ", min_version: 1.";
  CHECK_THAT(changes("", tls + "3}"), Catch::Contains("tls.private_key: ") &&
                                          Catch::Contains("tls.min_version: 1.2 -> 1.3 (restart)\n"));
  CHECK(changes(tls + "2}", tls + "3}") == "tls.min_version: 1.2 -> 1.3\n");
  Config next = config_of(tls + "2}");
  REQUIRE(next.tls.complete());
  keep_what_needs_restart(next, config_of(""));
  CHECK_FALSE(next.tls.complete());
}

TEST_CASE("the admin listener has names of its own, and those that signaling has until a restart",
          "[config]") {
  using Names = std::vector<std::string>;
  const Config now = config_of("signaling: {hosts: [a.example]}\nadmin: {hosts: [b.example]}");
  CHECK(now.admin.hosts == Names{"b.example"});
  CHECK(now.admin.signaling_hosts == Names{"a.example"});
  Config next = config_of("admin: {hosts: [c.example]}");
  CHECK(next.admin.signaling_hosts.empty());
  keep_what_needs_restart(next, now);
  CHECK(next.admin.hosts == Names{"c.example"});
  CHECK(next.admin.signaling_hosts == Names{"a.example"});
}

TEST_CASE("a page behind a balancer stays behind it until a restart", "[config]") {
  const std::string page =
      "signaling: {listen: [], token_secrets: [0123456789abcdef]}\nlisten: [{url: 'auto://127.0.0.1:1'";
  const Config now = config_of(page + ", proxy_protocol: [127.0.0.1]}]");
  Config next = config_of(page + "}]");
  REQUIRE(next.signaling.effective_access() == signaling::Access::open);
  keep_what_needs_restart(next, now);
  CHECK(next.signaling.effective_access() == signaling::Access::token);
}

TEST_CASE("a limit that counts more when it is written changes when it is written with its default",
          "[config]") {
  const std::string written = "limits: {allocations_per_user: 1000}";
  CHECK(changes("", written) == "limits.allocations_per_user: 1000 by default -> 1000\n");
  CHECK(changes(written, "") == "limits.allocations_per_user: 1000 -> 1000 by default\n");
  CHECK(changes(written, written).empty());
  CHECK(changes("", "").empty());
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
