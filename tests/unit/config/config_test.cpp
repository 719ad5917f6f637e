// Tests what is accepted, and what it means.
#include "config/config.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "describe.hpp"

namespace turnpike::config {
namespace {

using test::outcome;

Config parsed(std::string_view text, const std::vector<std::string>& overrides = {}) {
  const Result<Config, Errors> loaded = parse(text, "t.yaml", overrides);
  INFO(outcome(loaded));
  REQUIRE(loaded.has_value());
  return *loaded;
}

const char* const kDefaults =
    "realm=turnpike auth.realm=turnpike\n"
    "workers=0\n"
    "listen udp 0.0.0.0:3478\n"
    "listen udp [::]:3478\n"
    "ports 49152-65535\n"
    "relay buffer=1048576 default_family=0 redirect=full\n"
    "batching_delay_us=175\n"
    "nonce_lifetime_ms=600000\n"
    "limits allocations=0 per_user=1000 per_address=0 permissions=256 channels=256\n"
    "limits peer_connections=10000 per_user=1000\n"
    "limits bytes=0 per_user=0 per_allocation=0\n"
    "limits unauthenticated=100 bindings=500 failures=10\n"
    "limits lifetime_ms=3600000 age_ms=0\n"
    "streams idle=10000 idle_per_address=200 connect_timeout_ms=10000 idle_timeout_ms=60000\n"
    "web connections=1000 per_address=200 idle_timeout_ms=600000\n"
    "tls 1.2 ciphers ''\n"
    "shutdown drain_ms=0 deadline_ms=600000\n"
    "log level=1 format=text addresses=full\n";

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
    // Any key of signaling turns the signaling on.
    CHECK(set ==
          (key.path.starts_with("signaling.") ? outcome("signaling: {connections: 20000}") : kDefaults));
  }
}

TEST_CASE("a flag is one of YAML's words for true and false", "[config]") {
  const auto read = [](const std::string& word) {
    return parse("auth: {strict_expiry: " + word + "}", "t.yaml");
  };
  for (const std::string word : {"true", "True", "TRUE", "false", "False", "FALSE"}) {
    CAPTURE(word);
    const auto config = read(word);
    REQUIRE(config.has_value());
    CHECK(config->auth.strict_expiry == (word.size() == 4));
  }
  for (const std::string other : {"tRUE", "yes", "on", "1", "''", "'true'"}) {
    CAPTURE(other);
    CHECK(!read(other).has_value());
  }
}

TEST_CASE("Redis is named by a URL, with its password in it or beside it", "[config]") {
  const auto read = [](const std::string& redis) {
    const auto config = parse(
        "cluster: {redis: " + redis + ", secret: [0123456789abcdef, fedcba9876543210], node: a.example.org}",
        "t.yaml");
    REQUIRE(config.has_value());
    CHECK(config->cluster.is_enabled());
    CHECK(config->cluster.secrets.size() == 2);
    CHECK(config->cluster.prefix == "turnpike");
    return config->cluster.redis;
  };
  const cluster::RedisAddress plain = read("'redis://10.0.0.1'");
  CHECK((plain.host == "10.0.0.1" && plain.port == 6379 && plain.database == 0 && !plain.tls));
  CHECK((plain.user.empty() && plain.password.empty()));
  const cluster::RedisAddress whole = read("'rediss://ann:p%40ss@redis.example.org:6380/3'");
  CHECK((whole.host == "redis.example.org" && whole.port == 6380 && whole.database == 3 && whole.tls));
  CHECK((whole.user == "ann" && whole.password == "p@ss"));
  CHECK(read("'redis://h:06380'").port == 6380);
  CHECK(read("'redis://:secret@[2001:db8::1]:7/'").host == "2001:db8::1");
  CHECK(read("'redis://:secret@[2001:db8::1]:7/'").password == "secret");
  CHECK(read("'unix:/run/redis.sock'").unix_socket == "/run/redis.sock");
  const cluster::RedisAddress beside = read("{url: 'redis://h', user: ben, password: 'x:y@z'}");
  CHECK((beside.host == "h" && beside.user == "ben" && beside.password == "x:y@z"));
}

// Returns a value for each key that is not its default.
std::map<std::string_view, std::string> other_values() {
  const std::string readable = TURNPIKE_SOURCE_DIR "/README.md";
  return {
      {"realm", "example.org"},
      {"workers", "2"},
      {"listen", "['tcp://0.0.0.0:3478']"},
      {"relay.addresses", "[10.0.0.5]"},
      {"relay.advertise", "198.51.100.7"},
      {"relay.ports", "50000-50001"},
      {"relay.receive_buffer", "2MiB"},
      {"relay.batching.delay", "50us"},
      {"relay.tcp", "true"},
      {"relay.mobility", "true"},
      {"relay.default_family", "client"},
      {"relay.alternate_servers", "['udp://198.51.100.8:3478']"},
      {"relay.redirect", "always"},
      {"auth.users", "{alice: secret}"},
      {"auth.secrets", "[north-star-secret]"},
      {"auth.database", "sqlite:" TURNPIKE_SOURCE_DIR "/users.db"},
      {"auth.third_party",
       "{server_name: a, keys: [{kid: k, key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=}]}"},
      {"auth.nonce_lifetime", "20s"},
      {"auth.strict_expiry", "true"},
      {"clients.allow", "[8.8.8.0/24]"},
      {"clients.deny", "[8.8.8.0/24]"},
      {"clients.exempt", "[8.8.8.0/24]"},
      {"peers.allow", "[8.8.8.0/24]"},
      {"peers.deny", "[8.8.8.0/24]"},
      {"limits.allocations", "7"},
      {"limits.allocations_per_user", "7"},
      {"limits.allocations_per_address", "7"},
      {"limits.permissions_per_allocation", "7"},
      {"limits.channels_per_allocation", "7"},
      {"limits.peer_connections", "7"},
      {"limits.peer_connections_per_user", "7"},
      {"limits.allocation_lifetime", "700s"},
      {"limits.allocation_age", "70s"},
      {"limits.bytes_per_second", "7MiB"},
      {"limits.bytes_per_second_per_user", "7MiB"},
      {"limits.bytes_per_second_per_allocation", "7MiB"},
      {"limits.unauthenticated_per_second", "7"},
      {"limits.bindings_per_second", "7"},
      {"limits.failures_per_second", "7"},
      {"limits.idle_connections", "7"},
      {"limits.idle_connections_per_address", "7"},
      {"limits.connect_timeout", "7s"},
      {"limits.idle_timeout", "7s"},
      {"limits.web_connections", "7"},
      {"limits.web_connections_per_address", "7"},
      {"limits.web_idle_timeout", "7s"},
      {"nat_discovery.alternate", "198.51.100.8:3479"},
      {"stun.rfc3489", "true"},
      {"tls.certificate", readable},
      {"tls.private_key", readable},
      {"tls.min_version", "'1.3'"},
      {"tls.ciphers", "ECDHE+AESGCM"},
      {"tls.certificates", "[{certificate: " + readable + ", private_key: " + readable + "}]"},
      {"signaling.listen", "http://127.0.0.1:8081"},
      {"signaling.access", "token"},
      {"signaling.token_secrets", "[0123456789abcdeX]"},
      {"signaling.public_host", "turn.example.org"},
      {"signaling.root", TURNPIKE_SOURCE_DIR},
      {"signaling.cors", "['https://example.org']"},
      {"signaling.hosts", "[example.org]"},
      {"signaling.trusted_proxies", "[10.0.0.1]"},
      {"signaling.credential_lifetime", "2h"},
      {"signaling.connect_timeout", "7s"},
      {"signaling.preset", "none"},
      {"signaling.list_rooms", "true"},
      {"signaling.ping_interval", "7s"},
      {"signaling.ping_timeout", "7s"},
      {"signaling.recovery", "7s"},
      {"signaling.max_payload", "7000"},
      {"signaling.max_waiting", "7000"},
      {"signaling.connections", "7"},
      {"signaling.connections_per_address", "7"},
      {"signaling.bytes_per_second_per_address", "7"},
      {"signaling.credentials_per_second", "7"},
      {"signaling.members_per_room", "7"},
      {"signaling.rooms_per_address", "7"},
      {"admin.listen", "[http://127.0.0.1:9642]"},
      {"admin.token_secrets", "[0123456789abcdeY]"},
      {"admin.hosts", "[status.example.org]"},
      {"cluster.redis", "redis://10.0.0.2"},
      {"cluster.secret", "0123456789abcdeZ"},
      {"cluster.node", "b.example.org"},
      {"cluster.prefix", "other"},
      {"shutdown.drain", "7s"},
      {"shutdown.deadline", "7m"},
      {"offload", "{mode: off, interfaces: [eth0]}"},
      {"log.level", "debug"},
      {"log.format", "json"},
      {"log.addresses", "prefix"},
  };
}

// This file has all sections, so that each key can be changed alone.
const char* const kEverySection = R"(
signaling: {token_secrets: [0123456789abcdef]}
admin: {listen: [http://127.0.0.1:9641], token_secrets: [fedcba9876543210]}
cluster: {redis: redis://10.0.0.1, secret: abcdef0123456789, node: a.example.org}
tls: {certificate: )" TURNPIKE_SOURCE_DIR "/CMakeLists.txt, private_key: " TURNPIKE_SOURCE_DIR
                                  "/CMakeLists.txt}";

// This key has no effect; errors_test.cpp checks its warning.
constexpr std::string_view kWithoutEffect = "offload";

TEST_CASE("every key changes what the configuration means", "[config]") {
  const std::string before = test::describe(parsed(kEverySection));
  const std::map<std::string_view, std::string> others = other_values();
  for (const KnownKey& key : known_keys()) {
    CAPTURE(key.path);
    REQUIRE(others.contains(key.path));
    const std::string after =
        test::describe(parsed(kEverySection, {std::string(key.path) + '=' + others.at(key.path)}));
    CHECK((after == before) == (key.path == kWithoutEffect));
  }
}

TEST_CASE("a reload changes every key, except those that need a restart", "[config]") {
  const Config now = parsed(kEverySection);
  for (const auto& [path, value] : other_values()) {
    CAPTURE(path);
    Config next = parsed(kEverySection, {std::string(path) + '=' + value});
    const std::vector<ChangedKey> changes = find_changes(now, next);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].path == path);
    keep_what_needs_restart(next, now);
    const bool has_no_effect_now = changes[0].needs_restart || path == kWithoutEffect;
    CHECK((test::describe(next) == test::describe(now)) == has_no_effect_now);
  }
}

TEST_CASE("every key reaches its field", "[config]") {
  CHECK(outcome(R"(
realm: example.org
workers: 4
listen:
  - udp://192.0.2.1:3478
  - url: udp://[2001:db8::1]:0
  - {url: "udp://192.0.2.1:3489", proxy_protocol: [10.0.0.0/8], proxy_header: first}
  - {url: "udp://192.0.2.1:3480", proxy_protocol: [10.0.0.1, "2001:db8::/64"], proxy_header: each}
relay:
  addresses: [10.0.0.5, "2001:db8::5"]
  advertise: {10.0.0.5: 198.51.100.7}
  ports: 1024-2048
  tcp: true
  mobility: true
  alternate_servers: ["udp://198.51.100.8:3478", {url: "tls://[2001:db8::8]:5349", domain: b.example.org}]
  redirect: always
auth:
  users:
    alice: secret
    bob@example.org: 12345
    carol: {key_md5: 000102030405060708090A0B0C0D0E0F}
    dave:
      key_md5: 101112131415161718191a1b1c1d1e1f
      key_sha256: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
  secrets: [north-star-secret, 80808080]
  third_party:
    server_name: turn.example.org
    keys:
      - {kid: north, key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=, valid_from: 1790000000, lifetime: 720h}
      - {kid: union, key: MTIzNDU2Nzg5MDEyMzQ1Ngo=, algorithm: A128GCM, valid_from: 1}
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
  allocation_age: 12h
  unauthenticated_per_second: 5
  bindings_per_second: 6
  failures_per_second: 0
  idle_connections: 7
  idle_connections_per_address: 6
  connect_timeout: 500ms
  idle_timeout: 2m
nat_discovery: {alternate: [192.0.2.2:3479, "[2001:db8::2]:0"]}
log: {level: debug, format: json}
)") == R"(realm=example.org auth.realm=example.org
workers=4
listen udp 192.0.2.1:3478
listen udp [2001:db8::1]:0
listen udp 192.0.2.1:3489
behind 10.0.0.0/8
behind first
listen udp 192.0.2.1:3480
behind 10.0.0.1/32
behind 2001:db8::/64
relay 10.0.0.5
relay 2001:db8::5
advertise 10.0.0.5 as 198.51.100.7
ports 1024-2048 tcp mobility
relay buffer=1048576 default_family=0 redirect=always
alternate udp 198.51.100.8:3478 ''
alternate tls [2001:db8::8]:5349 'b.example.org'
batching_delay_us=175
user alice password secret
user bob@example.org password 12345
user carol md5 000102030405060708090a0b0c0d0e0f
user dave md5 101112131415161718191a1b1c1d1e1f sha256 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
secret north-star-secret
secret 80808080
token turn.example.org north 3031323334353637383930313233343536373839303132333435363738393031 A256GCM from 1790000000000 until 1792592000000
token turn.example.org union 313233343536373839303132333435360a A128GCM from 1000
nonce_lifetime_ms=600000
allow 10.20.0.0/16
allow 127.0.0.1/32
allow ::1/128
deny 8.8.8.0/24
limits allocations=1 per_user=2 per_address=0 permissions=3 channels=4
limits peer_connections=10000 per_user=1000
limits bytes=0 per_user=0 per_allocation=0
limits unauthenticated=5 bindings=6 failures=0
limits lifetime_ms=3600000 age_ms=43200000
streams idle=7 idle_per_address=6 connect_timeout_ms=500 idle_timeout_ms=120000
web connections=1000 per_address=200 idle_timeout_ms=600000
alternate 192.0.2.2:3479
alternate [2001:db8::2]:0
tls 1.2 ciphers ''
shutdown drain_ms=0 deadline_ms=600000
log level=0 format=json addresses=full
)");
}

TEST_CASE("the limit of a user applies to names that many share if the file contains it", "[config]") {
  CHECK_FALSE(parsed("").limits.counts_shared_names);
  CHECK_FALSE(parsed("limits: {allocations: 5000}").limits.counts_shared_names);
  CHECK(parsed("limits: {allocations_per_user: 1000}").limits.counts_shared_names);
  CHECK(parsed("", {"limits.allocations_per_user=0"}).limits.counts_shared_names);
}

TEST_CASE("the smallest and greatest values are accepted", "[config]") {
  std::string realm(126, 'r');
  realm += "\u00e9";
  CHECK(parsed("realm: " + realm).auth.realm == realm);
  CHECK(parsed("realm: 2024").realm == "2024");
  CHECK(parsed("workers: 1024").workers == 1024);
  CHECK(parsed("relay: {ports: 50000-50000}").relay.last_port == 50000);
  CHECK(parsed("auth: {nonce_lifetime: 10s}").auth.nonce_lifetime == std::chrono::seconds(10));
  CHECK(parsed("auth: {nonce_lifetime: \"10000ms\"}").auth.nonce_lifetime == std::chrono::seconds(10));
  CHECK(parsed("").relay.receive_buffer == 1 << 20);
  CHECK(parsed("relay: {receive_buffer: 4KiB}").relay.receive_buffer == 4 << 10);
  CHECK(parsed("relay: {receive_buffer: 300000}").relay.receive_buffer == 300'000);
  CHECK(parsed("relay: {receive_buffer: 64MiB}").relay.receive_buffer == 64 << 20);
  CHECK(parsed("relay: {batching: {delay: 1ms}}").batching_delay == std::chrono::milliseconds(1));
  CHECK(parsed("limits: {peer_connections: 7, peer_connections_per_user: 8}").limits.peer_connections == 7);
  CHECK(parsed("limits: {peer_connections_per_user: 8}").limits.peer_connections_per_user == 8);
  CHECK(parsed("limits: {allocation_lifetime: 10m}").limits.allocation_lifetime == std::chrono::seconds(600));
  CHECK(parsed("limits: {allocation_lifetime: 24h}").limits.allocation_lifetime == std::chrono::hours(24));
  CHECK(parsed("limits: {allocation_age: 60s}").limits.allocation_age == std::chrono::seconds(60));
  CHECK(parsed("limits: {allocation_age: 8760h}").limits.allocation_age == std::chrono::hours(8760));
  CHECK(parsed("limits: {allocation_age: 0s}").limits.allocation_age == Duration::zero());
  CHECK(parsed("relay: {advertise: 198.51.100.7}").relay.advertise_for_only ==
        std::vector{*IpAddress::parse("198.51.100.7")});
  CHECK(parsed("relay: {advertise: ['2001:db8::7', 198.51.100.7], addresses: [10.0.0.5, 'fd00::5']}")
            .relay.advertise_for_only.size() == 2);
  CHECK(parsed("limits: {allocations: 4294967295}").limits.allocations == 4294967295U);
  CHECK(parsed("auth: {users: {" + std::string(508, 'u') + ": x}}").auth.users[0].name.size() == 508);
  CHECK(parsed("auth: {users: {'null': 'null'}}").auth.users[0].password == "null");
  CHECK(parsed("auth: {users: {1700000000:alice: x}}").auth.users[0].name == "1700000000:alice");
  const Config cluster =
      parsed("cluster: {redis: 'redis://h/65535', secret: 0123456789abcdef, node: a.org, prefix: " +
             std::string(64, 'p') + "}");
  CHECK(cluster.cluster.redis.database == 65535);
  CHECK(cluster.cluster.prefix.size() == 64);
  CHECK(parsed("admin: {listen: 'unix:/" + std::string(106, 's') + "'}").admin.unix_sockets.size() == 1);
}

TEST_CASE("a drain that its deadline would cut off brings a warning", "[config]") {
  CHECK(parsed("shutdown: {drain: 10s, deadline: 10s}").warnings.empty());
  CHECK(parsed("shutdown: {drain: 11s, deadline: 10s}").warnings ==
        std::vector<std::string>{"shutdown.drain: is longer than shutdown.deadline, which ends a drain"});
}

TEST_CASE("a listener may have a web server behind it", "[config]") {
  const Config config = parsed(
      "listen: [{url: auto://0.0.0.0:443, web: '127.0.0.1:8443', web_proxy_protocol: true}, "
      "{url: auto://0.0.0.0:80, web: '[2001:db8::1]:443', proxy_protocol: [10.0.0.0/8]}, "
      "{url: 'auto://[::]:80', web: '192.0.2.1:80', web_proxy_protocol: false}, auto://127.0.0.1:1]\n"
      "limits: {web_connections: 7, web_connections_per_address: 0, web_idle_timeout: 24h}");
  REQUIRE(config.listen.size() == 4);
  CHECK(config.listen[0].web == relay::WebServer{*Endpoint::parse("127.0.0.1:8443"), true});
  // On another machine, the port may be the same as ours.
  CHECK(config.listen[1].web == relay::WebServer{*Endpoint::parse("[2001:db8::1]:443"), false});
  CHECK(config.listen[1].proxy_protocol.size() == 1);
  CHECK(config.listen[2].web == relay::WebServer{*Endpoint::parse("192.0.2.1:80"), false});
  CHECK_FALSE(config.listen[3].web);
  CHECK(config.streams.web == 7);
  CHECK(config.streams.web_per_address == 0);
  CHECK(config.streams.web_idle_timeout == std::chrono::hours(24));
  CHECK(parsed("").streams.web == 1000);
  CHECK(parsed("").streams.web_per_address == 200);
  CHECK(parsed("").streams.web_idle_timeout == std::chrono::minutes(10));
}

TEST_CASE("listeners that do not receive each other's packets may share an address or a port", "[config]") {
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

TEST_CASE("a page and a web server may have what no listener for connections takes", "[config]") {
  CHECK(parsed("listen: ['udp://127.0.0.1:8443', {url: auto://0.0.0.0:443, web: '127.0.0.1:8443'}]")
            .listen.size() == 2);
  const Config any_ports = parsed(
      "listen: ['tcp://127.0.0.1:0']\nsignaling: {access: open, listen: ['http://127.0.0.1:0', "
      "'http://127.0.0.1:0']}");
  CHECK(any_ports.signaling.listen.size() == 2);
}

TEST_CASE("tls:// and dtls:// may have one port", "[config]") {
  const Config config = parsed(
      "listen: [tls://0.0.0.0:5349, dtls://0.0.0.0:5349]\ntls: {certificate: /etc/passwd, private_key: "
      "/etc/passwd}");
  REQUIRE(config.listen.size() == 2);
  CHECK(config.listen[1].transport == Transport::dtls);
  CHECK(config.listen[1].endpoint.port == 5349);
}

TEST_CASE("a wide prefix may be allowed: longer rules still deny what must be denied", "[config]") {
  CHECK(parsed(R"(peers: {allow: [0.0.0.0/0, "::/0", 224.0.0.0/3, "fd00::/8", "2001:db8::/32"]})")
            .peers.allow.size() == 5);
}

}  // namespace
}  // namespace turnpike::config
