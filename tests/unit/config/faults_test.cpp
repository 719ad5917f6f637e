// Several faults in one file: all of them are reported at once, by line, without consequences of others.
#include "config/faults.hpp"

#include <catch2/catch.hpp>

#include "describe.hpp"

namespace turnpike::config {
namespace {

using test::outcome;

const std::string kNoFile = "file /no/such cannot be read: No such file or directory";

TEST_CASE("a secret that cannot be read hides no other error", "[config]") {
  CHECK(outcome("workers: 0\n"
                "auth:\n"
                "  secrets:\n"
                "    - {file: /no/such}\n"
                "    - short\n"
                "  users:\n"
                "    alice: {file: /no/such}\n"
                "    bob: {key_md5: {file: /no/such}, key_sha256: xyz}\n"
                "tls: {certificate: /no/such, private_key: /etc/passwd}\n"
                "log: {level: loud}\n",
                {"limits"}) ==
        "--set: expected key.path=value (got no =)\n"
        "t.yaml:1: workers: expected auto or a number from 1 to 1024 (got 0)\n"
        "t.yaml:4: auth.secrets[0]: " +
            kNoFile +
            "\n"
            "t.yaml:5: auth.secrets[1]: expected a secret of at least 8 characters, better 16 or more, "
            "without control characters (got a text that is not shown here)\n"
            "t.yaml:7: auth.users.alice: " +
            kNoFile + "\nt.yaml:8: auth.users.bob.key_md5: " + kNoFile +
            "\n"
            "t.yaml:8: auth.users.bob.key_sha256: expected 64 hex digits (got a text that is not shown "
            "here)\n"
            "t.yaml:9: tls.certificate: " +
            kNoFile +
            "\n"
            "t.yaml:10: log.level: expected one of debug, info, warning, error (got loud)");
}

TEST_CASE("a secret that cannot be read is one error, wherever it is", "[config]") {
  const std::string none = "{file: /no/such}";
  const std::pair<std::string, std::string> cases[] = {
      {"auth: {third_party: {server_name: a.example.org, keys: [{kid: a, key: " + none + "}]}}",
       "auth.third_party.keys[0].key"},
      {"signaling: {access: token, token_secrets: [" + none + "]}", "signaling.token_secrets[0]"},
      {"admin: {token_secrets: [" + none + "]}", "admin.token_secrets[0]"},
      {"cluster: {node: a.example.org, redis: 'redis://h', secret: " + none + "}", "cluster.secret"},
      {"cluster: {node: a.example.org, redis: " + none + ", secret: 0123456789abcdef}", "cluster.redis"},
      {"cluster: {node: a.example.org, redis: {url: " + none + "}, secret: 0123456789abcdef}",
       "cluster.redis.url"},
      {"cluster: {node: a.example.org, redis: {url: 'redis://h', user: " + none +
           "}, secret: 0123456789abcdef}",
       "cluster.redis.user"},
  };
  for (const auto& [text, key] : cases) {
    CAPTURE(text);
    CHECK(outcome(text) == "t.yaml:1: " + key + ": " + kNoFile);
  }
}

TEST_CASE("keys that contradict each other are errors beside others", "[config]") {
  CHECK(outcome("relais: {}\n"
                "listen: ['tls://0.0.0.0:5349']\n"
                "peers: {allow: [10.0.0.0/8, 10.0.0.0/33], deny: [10.0.0.0/8]}\n"
                "signaling: {access: token, ping_interval: 5}\n"
                "tls: {ciphers: ''}\n"
                "admin: {listen: ['http://0.0.0.0:5349', x]}\n") ==
        "t.yaml:1: relais: unknown key, did you mean relay?\n"
        "t.yaml:2: listen[0]: tls:// needs tls.certificate\n"
        "t.yaml:2: listen[0]: tls:// needs tls.private_key\n"
        "t.yaml:3: peers.allow[1]: expected a prefix such as 10.20.0.0/16 or 2001:db8::/32, or one address "
        "(got 10.0.0.0/33)\n"
        "t.yaml:3: peers.deny[0]: expected a prefix that peers.allow does not have (got 10.0.0.0/8)\n"
        "t.yaml:4: signaling.ping_interval: expected a unit after the number: ms, s, m or h (got 5)\n"
        "t.yaml:4: signaling: expected token_secrets, since access is token\n"
        "t.yaml:5: tls.ciphers: expected OpenSSL's names with colons between them, such as "
        "ECDHE+AESGCM:TLS_AES_128_GCM_SHA256 (got \"\")\n"
        "t.yaml:6: admin.listen[1]: expected unix:/PATH or http://ADDRESS:PORT (got x)\n"
        "t.yaml:6: admin.listen: listens where another listener does: expected another address or port");
}

TEST_CASE("what follows from an error is no error of its own", "[config]") {
  const std::string listen = "listen: ['tls://0.0.0.0:5349']\n";
  const std::pair<std::string, std::string> cases[] = {
      {listen + "tls: {certifcate: /etc/passwd, private_key: /etc/passwd}",
       "t.yaml:2: tls.certifcate: unknown key, did you mean tls.certificate?"},
      {listen + "tsl: {certificate: /etc/passwd, private_key: /etc/passwd}",
       "t.yaml:2: tsl: unknown key, did you mean tls?"},
      {listen + "tls: {private_key: /etc/passwd}\ncertificate: /etc/passwd",
       "t.yaml:3: certificate: unknown key, did you mean tls.certificate?"},
      {listen + "tls: {certificate: /etc/passwd, private_key: /no/such}",
       "t.yaml:2: tls.private_key: " + kNoFile},
      {"tls: {certificate: /etc/passwd}\ntls: {private_key: /etc/passwd}",
       "t.yaml:2: tls: duplicate key, first set at t.yaml:1"},
      {"signaling: {listen: ['http://0.0.0.0:80'], access: token, token_secret: [x]}",
       "t.yaml:1: signaling.token_secret: unknown key, did you mean signaling.token_secrets?"},
      {"cluster: {node: a.example.org, redis: x, secret: 0123456789abcdef}\n"
       "relay: {alternate_servers: cluster}",
       "t.yaml:1: cluster.redis: expected redis://HOST"},
      {"relay: {addresses: [x], advertise: {10.0.0.5: 198.51.100.7}}",
       "t.yaml:1: relay.addresses[0]: expected an IPv4 or IPv6 address that a host can have (got x)"},
      {"listen: [x]\nnat_discovery: {alternate: '[2001:db8::2]:3479'}",
       "t.yaml:1: listen[0]: expected udp://"},
      {"workers: 0\nrealm: a: b", "t.yaml:2: not valid YAML: "},
  };
  for (const auto& [text, error] : cases) {
    CAPTURE(text);
    CHECK_THAT(outcome(text), Catch::StartsWith(error));
    CHECK_THAT(outcome(text), !Catch::Contains("\n"));
  }
}

TEST_CASE("a key in two places is one error", "[config]") {
  CHECK(outcome("auth: {users: {bob: {key_md5: 00112233445566778899aabbccddeeff, key_md5: x}}}") ==
        "t.yaml:1: auth.users.bob: duplicate key, first set at t.yaml:1");
}

TEST_CASE("a file with very many errors has an end", "[config]") {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "x" + std::to_string(i) + ": 1\n";
  const auto config = parse(text, "t.yaml");
  REQUIRE_FALSE(config.has_value());
  const Errors& errors = config.error();
  REQUIRE(errors.size() == 101);
  CHECK(errors[0].where == "t.yaml:1");
  CHECK(errors[99].where == "t.yaml:100");
  CHECK(to_string(errors[100]) == "t.yaml: has 1900 more errors, which are not shown");
}

TEST_CASE("steps that fail do not keep others from being taken", "[config]") {
  const Places places{{"auth", "t.yaml:9"}, {"tls", "t.yaml:10"}, {"log", ""}};
  Attempts attempts(places);
  bool taken = false;
  attempts.take([] { throw std::runtime_error("tls.certificate: first"); });
  attempts.take([] { throw std::runtime_error("auth.users: second"); });
  attempts.take([&] { taken = true; });
  attempts.take([] { throw std::runtime_error("auth.users: second"); });
  attempts.take([] { throw std::runtime_error("log: of an override"); });
  CHECK(taken);
  std::string all;
  for (const Error& error : attempts.errors()) all += to_string(error) + '\n';
  CHECK(all == "log: of an override\nt.yaml:9: auth.users: second\nt.yaml:10: tls.certificate: first\n");
}

}  // namespace
}  // namespace turnpike::config
