// Tests --set key.path=value: which key it sets, and what it reports when it cannot.
#include <catch2/catch.hpp>

#include "describe.hpp"

namespace turnpike::config {
namespace {

using test::outcome;

Config overridden(std::string_view text, const std::vector<std::string>& overrides) {
  const Result<Config, Errors> loaded = parse(text, "t.yaml", overrides);
  INFO(outcome(loaded));
  REQUIRE(loaded.has_value());
  return *loaded;
}

TEST_CASE("an override adds a key or replaces its value", "[config]") {
  CHECK(overridden("", {"limits.allocations=5"}).limits.allocations == 5);
  CHECK(overridden("limits: {allocations: 4}", {"limits.allocations=5"}).limits.allocations == 5);
  CHECK(overridden("limits:\n", {"limits.allocations=5"}).limits.allocations == 5);
  CHECK(overridden("", {"workers=2", "workers=3"}).workers == 3);
  CHECK(overridden("", {"realm=a=b"}).realm == "a=b");
  CHECK(overridden("workers: none", {"workers=auto"}).workers == 0);
}

TEST_CASE("an override replaces lists and maps as a whole", "[config]") {
  const Config listen =
      overridden("listen: [udp://0.0.0.0:1, udp://0.0.0.0:2]", {"listen=[udp://127.0.0.1:0]"});
  REQUIRE(listen.listen.size() == 1);
  CHECK(listen.listen[0].endpoint.to_string() == "127.0.0.1:0");
  CHECK(overridden("", {"listen=['udp://[::1]:0']"}).listen[0].endpoint.to_string() == "[::1]:0");

  const Config limits = overridden("limits: {allocations: 4}", {"limits={channels_per_allocation: 7}"});
  CHECK(limits.limits.allocations == 0);
  CHECK(limits.limits.channels_per_allocation == 7);
}

TEST_CASE("an override names one user or one address, dots and all", "[config]") {
  const Config config = overridden(
      "auth: {users: {alice: a}}",
      {"auth.users.bob@example.org=12345", "auth.users.alice=b", "relay.advertise.10.0.0.5=198.51.100.7"});
  REQUIRE(config.auth.users.size() == 2);
  CHECK(config.auth.users[0].password == "b");
  CHECK(config.auth.users[1].name == "bob@example.org");
  CHECK(config.auth.users[1].password == "12345");
  CHECK(config.relay.advertise.size() == 1);
  CHECK(overridden("auth: {users: {alice: a}}", {"auth.users={dev: x}"}).auth.users[0].name == "dev");
}

TEST_CASE("a wrong override is named instead of a line", "[config]") {
  struct Case {
    std::string override_text;
    std::string_view error;
  };
  const Case cases[] = {
      {"workers=0", "--set workers=0: workers: expected auto or a number from 1 to 1024 (got 0)"},
      {"workers=", "--set workers=: workers: expected auto or a number from 1 to 1024 (got nothing)"},
      {"limits.alocations=5",
       "--set limits.alocations=...: limits.alocations: unknown key, did you mean "
       "limits.allocations?"},
      {"log.level.x=5",
       "--set log.level.x=...: log.level: expected one of debug, info, warning, error (got a map)"},
      {"listen=[udp://127.0.0.1:0",
       "--set listen=[udp://127.0.0.1:0: not valid YAML: end of sequence flow not found"},
      {"listen.0=udp://127.0.0.1:0",
       "--set listen.0=...: listen: expected a list of at least one URL (got a map)"},
      {"peers={allow: [1.1.1.1], deny: [1.1.1.1]}",
       "--set peers={allow: [1.1.1.1], deny: [1.1.1.1]}: peers.deny[0]: expected a prefix that peers.allow "
       "does not "
       "have (got 1.1.1.1)"},
      {"admin={token_secrets: [0123456789abcdef], listn: []}",
       "--set admin=...: admin.listn: unknown key, did you mean admin.listen?"},
      {"cluster={secret: a-secret-of-a-cluster, nod: x}",
       "--set cluster=...: cluster.nod: unknown key, did you mean cluster.node?"},
      {"signaling={token_secrets: [0123456789abcdef], lists_rooms: true}",
       "--set signaling=...: signaling.lists_rooms: unknown key, did you mean "
       "signaling.list_rooms?"},
      {"realm=a\nb: c",
       "--set realm=a\\u{a}b: c: not valid YAML: illegal map value, expected the indentation of the line "
       "above, or quotes around a text with a colon"},
      {"auth.database=x",
       "--set auth.database=...: auth.database: expected sqlite: and an absolute path, in an existing folder "
       "(got "
       "a "
       "text that is not shown here)"},
      {"tls.certificate=/nowhere/x",
       "--set tls.certificate=/nowhere/x: tls.certificate: file /nowhere/x cannot be read: No "
       "such file or directory\n"
       "--set tls.certificate=/nowhere/x: tls: certificate needs private_key"},
      {"signaling.token_secrets=[hunter2]",
       "--set signaling.token_secrets=...: signaling.token_secrets[0]: expected a secret of at least 16 "
       "characters, without control characters (got a text that is not shown here)"},
      {"workers", "--set: expected key.path=value (got no =)"},
      {"=5", "--set =...: expected key.path=value (got an empty name in the path)"},
      {"limits..allocations=5",
       "--set limits..allocations=...: expected key.path=value (got an empty name in the path)"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.override_text);
    CHECK(outcome("", {c.override_text}) == c.error);
  }
}

TEST_CASE("an override cannot reach through a value", "[config]") {
  CHECK(outcome("relay: 5", {"relay.ports=1024-2048"}) ==
        "--set relay.ports=1024-2048: relay: expected a map to set a key in (got 5)\n"
        "t.yaml:1: relay: expected a map (got 5)");
  CHECK(outcome("limits: {allocations: 5}", {"limits.allocations.x=6"}) ==
        "--set limits.allocations.x=...: limits.allocations: expected a map to set a key in (got 5)");
  CHECK(outcome("hunter2", {"workers=1"}) ==
        "--set workers=1: expected a map to set a key in (got a text that is not shown here)\n"
        "t.yaml:1: expected a map (got a text that is not shown here)");
}

TEST_CASE("no secret of an override is shown", "[config]") {
  const std::string overrides[] = {
      "auth=hunter2",
      "auth={hunter2: x}",
      "auth={users: {alice:hunter2}}",
      "auth.users=hunter2",
      "auth.users={alice: \"hunter2\\n\"}",
      "auth.users={alice: {key_md5: hunter2}}",
      "auth.users={alice: hunter2",
      "auth.users.alice={hunter2: x}",
      "auth.users.alice=[hunter2]",
      "auth.users.alice:hunter2",
      "auth.secrets=hunter2",
      "auth.secrets=[*hunter2]",
      "auth.hunter2=x",
      "auth.nonce_lifetime=hunter2",
      "auht.users={alice: hunter2}",
      "secrets=[hunter2]",
      "tls.private_key=-----BEGIN PRIVATE KEY----- hunter2",
      "=hunter2",
  };
  for (const std::string& override_text : overrides) {
    const Result<Config, Errors> loaded = parse("", "t.yaml", {override_text});
    CAPTURE(override_text, outcome(loaded));
    CHECK_FALSE(loaded.has_value());
    CHECK(outcome(loaded).find("hunter2") == std::string::npos);
  }
  CHECK(outcome("", {"auth.users=hunter2"}) ==
        "--set auth.users=...: auth.users: expected a map from user names to passwords (got a text that is "
        "not shown "
        "here)");
  CHECK(outcome("", {"auth.hunter2=x"}) ==
        "--set auth=...: auth: unknown key, expected one of users, secrets, database, third_party, "
        "nonce_lifetime, "
        "strict_expiry");
}

}  // namespace
}  // namespace turnpike::config
