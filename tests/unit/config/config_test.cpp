// What is accepted, and what it means.
#include "config/config.hpp"

#include <catch2/catch.hpp>

#include "describe.hpp"

namespace turnpike::config {
namespace {

using test::outcome;

Config parsed(std::string_view text) {
  const Result<Config, Errors> loaded = parse(text, "t.yaml");
  INFO(outcome(loaded));
  REQUIRE(loaded.has_value());
  return *loaded;
}

const char* const kDefaults =
    "realm turnpike = turnpike\n"
    "workers 0\n"
    "listen udp 0.0.0.0:3478\n"
    "listen udp [::]:3478\n"
    "ports 49152-65535\n"
    "nonce_lifetime 600000\n"
    "limits 0 0 0 0 100 3600000\n"
    "streams 200 10000 60000\n"
    "log 1 0\n";

TEST_CASE("nothing written means the defaults, and STUN only", "[config]") {
  for (const std::string_view text :
       {"", "# only a comment\n", "---\n", "{}", "auth:\nrelay:\nlimits: {}\n"}) {
    CAPTURE(text);
    CHECK(outcome(text) == kDefaults);
  }
}

TEST_CASE("every key's stated default is what it means by default", "[config]") {
  for (const KnownKey& key : known_keys()) {
    CAPTURE(key.path);
    if (key.default_value.empty()) continue;  // a file, a name: something or nothing
    const std::string set = outcome("", {std::string(key.path) + '=' + std::string(key.default_value)});
    // To set any key of signaling turns it on.
    CHECK(set ==
          (key.path.starts_with("signaling.") ? outcome("signaling: {connections: 20000}") : kDefaults));
  }
}

TEST_CASE("every key reaches its field", "[config]") {
  CHECK(outcome(R"(
realm: example.org
workers: 4
listen:
  - udp://192.0.2.1:3478
  - url: udp://[2001:db8::1]:0
relay:
  addresses: [10.0.0.5, "2001:db8::5"]
  advertise: {10.0.0.5: 198.51.100.7}
  ports: 1024-2048
  tcp: false
  mobility: false
auth:
  users:
    alice: secret
    bob@example.org: 12345
    carol: {key_md5: 000102030405060708090A0B0C0D0E0F}
    dave:
      key_md5: 101112131415161718191a1b1c1d1e1f
      key_sha256: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
  secrets: [north, 8080]
  nonce_lifetime: 10m
peers:
  allow: [10.20.0.0/16, 127.0.0.1, "::1"]
  deny: [8.8.8.0/24]
limits:
  allocations: 1
  allocations_per_user: 2
  permissions_per_allocation: 3
  channels_per_allocation: 4
  allocation_lifetime: 1h
  bytes_per_second_per_allocation: 0
  unauthenticated_per_second: 5
  idle_connections_per_address: 6
  connect_timeout: 500ms
  idle_timeout: 2m
log: {level: debug, format: json}
)") == R"(realm example.org = example.org
workers 4
listen udp 192.0.2.1:3478
listen udp [2001:db8::1]:0
relay 10.0.0.5
relay 2001:db8::5
advertise 10.0.0.5 as 198.51.100.7
ports 1024-2048
user alice password secret
user bob@example.org password 12345
user carol md5 000102030405060708090a0b0c0d0e0f
user dave md5 101112131415161718191a1b1c1d1e1f sha256 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
secret north
secret 8080
nonce_lifetime 600000
allow 10.20.0.0/16
allow 127.0.0.1/32
allow ::1/128
deny 8.8.8.0/24
limits 1 2 3 4 5 3600000
streams 6 500 120000
log 0 1
)");
}

TEST_CASE("the edges of what is allowed", "[config]") {
  std::string realm(126, 'r');
  realm += "\u00e9";
  CHECK(parsed("realm: " + realm).auth.realm == realm);
  CHECK(parsed("realm: 2024").realm == "2024");
  CHECK(parsed("workers: 1024").workers == 1024);
  CHECK(parsed("relay: {ports: 50000-50000}").relay.last_port == 50000);
  CHECK(parsed("auth: {nonce_lifetime: 10s}").auth.nonce_lifetime == std::chrono::seconds(10));
  CHECK(parsed("auth: {nonce_lifetime: \"10000ms\"}").auth.nonce_lifetime == std::chrono::seconds(10));
  CHECK(parsed("limits: {allocation_lifetime: 10m}").limits.allocation_lifetime == std::chrono::seconds(600));
  CHECK(parsed("limits: {allocation_lifetime: 24h}").limits.allocation_lifetime == std::chrono::hours(24));
  CHECK(parsed("limits: {allocations: 4294967295}").limits.allocations == 4294967295U);
  CHECK(parsed("auth: {users: {" + std::string(508, 'u') + ": x}}").auth.users[0].name.size() == 508);
  CHECK(parsed("auth: {users: {'null': 'null'}}").auth.users[0].password == "null");
  CHECK(parsed("auth: {users: {1700000000:alice: x}}").auth.users[0].name == "1700000000:alice");
}

TEST_CASE("listeners that do not take each other's packets", "[config]") {
  const std::string_view accepted[] = {
      R"(["udp://0.0.0.0:3478", "udp://[::]:3478"])",         // [::] is IPv6 only
      R"(["udp://127.0.0.1:3478", "udp://127.0.0.2:3478"])",  // two addresses
      R"(["udp://0.0.0.0:3478", "udp://0.0.0.0:3479"])",      // two ports
      R"(["udp://127.0.0.1:0", "udp://127.0.0.1:0"])",        // any free port, twice
      R"(["udp://0.0.0.0:3478", "udp://[::1]:3478"])",        // two families
  };
  for (const std::string_view listen : accepted) {
    CAPTURE(listen);
    CHECK(parsed("listen: " + std::string(listen)).listen.size() == 2);
  }
}

TEST_CASE("a wide prefix may be allowed: longer rules still deny what must be denied", "[config]") {
  CHECK(parsed(R"(peers: {allow: [0.0.0.0/0, "::/0", 224.0.0.0/3, "fd00::/8", "2001:db8::/32"]})")
            .peers.allow.size() == 5);
}

}  // namespace
}  // namespace turnpike::config
