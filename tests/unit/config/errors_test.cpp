// Tests what is refused, word for word.
#include <catch2/catch.hpp>

#include "describe.hpp"

namespace turnpike::config {
namespace {

using test::outcome;

struct Case {
  std::string text;
  std::string_view error;
};

void check_all(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(outcome(c.text) == c.error);
  }
}

TEST_CASE("a file that cannot be read is an error", "[config]") {
  CHECK(outcome(load("/nonexistent/turnpike.yaml")) ==
        "/nonexistent/turnpike.yaml: cannot be read: No such file or directory");
  CHECK(outcome(load("/")) == "/: cannot be read: Is a directory");
}

TEST_CASE("text that is not YAML, or uses more of YAML than a configuration needs, is an error", "[config]") {
  check_all({
      {"realm: x\nlisten: [\n", "t.yaml:3: not valid YAML: end of sequence flow not found"},
      {"realm: a: b\n",
       "t.yaml:1: not valid YAML: illegal map value, expected the indentation of the line above, or quotes "
       "around a text with a colon"},
      {"log:\n  level: info\n    format: text\n",
       "t.yaml:3: not valid YAML: illegal map value, expected the indentation of the line above, or quotes "
       "around a text with a colon"},
      {"realm: a\nlog:\n\tlevel: info\n",
       "t.yaml:3: not valid YAML: illegal map value, expected spaces in place of the tab"},
      {"workers: 1\nrealm: \"a\npeers: {deny: [192.0.2.1]}\n",
       "t.yaml:2: not valid YAML: a quoted text here or below has no end"},
      {"workers: 1\nrealm: 'a\npeers: {deny: [192.0.2.1]}\n \t",
       "t.yaml:2: not valid YAML: a quoted text here or below has no end"},
      {"log:\n  - 'a\n", "t.yaml:2: not valid YAML: a quoted text here or below has no end"},
      {"realm: \"a", "t.yaml:1: not valid YAML: a quoted text here or below has no end"},
      {"realm: \"\\q\"\n", "t.yaml:1: not valid YAML: unknown escape character"},
      {"realm: &r x\n", "t.yaml:1: not valid YAML: anchors are not supported"},
      {"auth: {secrets: [*north]}\n", "t.yaml:1: not valid YAML: the referenced anchor is not defined"},
      {"realm: !!str x\n", "t.yaml:1: not valid YAML: tags are not supported"},
      {"relay: !x {}\n", "t.yaml:1: not valid YAML: tags are not supported"},
      {"realm: x\n---\nrealm: y\n", "t.yaml:2: not valid YAML: a second document"},
      {"north", "t.yaml:1: expected a map (got a text that is not shown here)"},
      {"[realm]", "t.yaml:1: expected a map (got a list)"},
      {"? [a]\n: b\n", "t.yaml:1: expected a name as a key (got a list)"},
  });
}

TEST_CASE("white space at the end of a file is no part of a text", "[config]") {
  for (const std::string text :
       {"realm: |-\n  abc\n  ", "realm: |-\n  abc\n\n", "realm: abc \t", "realm: abc\n \t\n", "realm: 'abc' ",
        "realm: abc\r\n", "realm: abc\n...\n"}) {
    CAPTURE(text);
    const auto config = parse(text, "t.yaml");
    REQUIRE(config.has_value());
    CHECK(config->realm == "abc");
  }
}

TEST_CASE("unknown and duplicate keys are errors", "[config]") {
  check_all({
      {"relm: x", "t.yaml:1: relm: unknown key, did you mean realm?"},
      {"\nauht: {users: {a: hunter2}}", "t.yaml:2: auht: unknown key, did you mean auth?"},
      {"limits:\n  alocations: 5",
       "t.yaml:2: limits.alocations: unknown key, did you mean limits.allocations?"},
      {"ports: 1024-2048", "t.yaml:1: ports: unknown key, did you mean relay.ports?"},
      {"log:\n  realm: x", "t.yaml:2: log.realm: unknown key, did you mean realm?"},
      {"foo: 1",
       "t.yaml:1: foo: unknown key, expected one of realm, workers, listen, relay, auth, clients, peers, "
       "limits, "
       "nat_discovery, stun, tls, signaling, admin, cluster, shutdown, offload, log"},
      {"log: {file: x}", "t.yaml:1: log.file: unknown key, expected one of level, format, addresses"},
      {"relay.ports: 1024-2048",
       "t.yaml:1: relay.ports: unknown key, expected a line of its own for each part of the name"},
      {"relay.port: 1024-2048",
       "t.yaml:1: relay.port: unknown key, expected one of realm, workers, listen, relay, auth, clients, "
       "peers, "
       "limits, nat_discovery, stun, tls, signaling, admin, cluster, shutdown, offload, log"},
      {"relay: {batching.delay: 0}",
       "t.yaml:1: relay.batching.delay: unknown key, expected a line of its own for each part of the name"},
      {"\"a\\nb\": 1",
       "t.yaml:1: a\\u{a}b: unknown key, expected one of realm, workers, listen, relay, auth, clients, "
       "peers, "
       "limits, "
       "nat_discovery, stun, tls, signaling, admin, cluster, shutdown, offload, log"},
      {"listen:\n  - url: udp://0.0.0.0:1\n    backlog: 5",
       "t.yaml:3: listen[0].backlog: unknown key, expected one of url, proxy_protocol, proxy_header, web, "
       "web_proxy_protocol"},
      {"realm: a\nworkers: 1\nrealm: b", "t.yaml:3: realm: duplicate key, first set at t.yaml:1"},
      {"log: {level: info}\nlog: {format: text}", "t.yaml:2: log: duplicate key, first set at t.yaml:1"},
  });
}

TEST_CASE("values of one line have errors", "[config]") {
  const std::string long_realm(128, 'r');
  check_all({
      {"realm:",
       "t.yaml:1: realm: expected a text of 1 to 127 characters, without control characters (got nothing)"},
      {"realm: ''",
       "t.yaml:1: realm: expected a text of 1 to 127 characters, without control characters (got \"\")"},
      {"realm: \"a\\tb\"",
       "t.yaml:1: realm: expected a text of 1 to 127 characters, without control characters (got "
       "\"a\\u{9}b\")"},
      {"realm: " + long_realm,
       "t.yaml:1: realm: expected a text of 1 to 127 characters, without control characters (got "
       "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr...)"},
      {"realm: [x]",
       "t.yaml:1: realm: expected a text of 1 to 127 characters, without control characters (got a list)"},
      {"workers: 0", "t.yaml:1: workers: expected auto or a number from 1 to 1024 (got 0)"},
      {"workers: 1025", "t.yaml:1: workers: expected auto or a number from 1 to 1024 (got 1025)"},
      {"workers: '4'", "t.yaml:1: workers: expected auto or a number from 1 to 1024 (got \"4\")"},
      {"workers: {}", "t.yaml:1: workers: expected auto or a number from 1 to 1024 (got a map)"},
      {"limits: {allocations: -1}",
       "t.yaml:1: limits.allocations: expected a whole number from 0 (no limit) to 4294967295 (got -1)"},
      {"relay: {receive_buffer: 1}",
       "t.yaml:1: relay.receive_buffer: expected a size from 4KiB to 64MiB, such as 256KiB or 1MiB (got "
       "1)"},
      {"relay: {receive_buffer: 65MiB}",
       "t.yaml:1: relay.receive_buffer: expected a size from 4KiB to 64MiB, such as 256KiB or 1MiB (got "
       "65MiB)"},
      {"limits: {allocations_per_user: 4294967296}",
       "t.yaml:1: limits.allocations_per_user: expected a whole number from 0 (no limit) to 4294967295 (got "
       "4294967296)"},
      {"limits: {permissions_per_allocation: many}",
       "t.yaml:1: limits.permissions_per_allocation: expected a whole number from 0 (no limit) to 4294967295 "
       "(got "
       "many)"},
      {"limits: {channels_per_allocation:}",
       "t.yaml:1: limits.channels_per_allocation: expected a whole number from 0 (no limit) to 4294967295 "
       "(got "
       "nothing)"},
      {"limits: {unauthenticated_per_second: 1.5}",
       "t.yaml:1: limits.unauthenticated_per_second: expected a whole number from 0 (no limit) to 4294967295 "
       "(got "
       "1.5)"},
      {"limits: {failures_per_second: -1}",
       "t.yaml:1: limits.failures_per_second: expected a whole number from 0 (no limit) to 4294967295 (got "
       "-1)"},
      {"limits: {allocation_age: 3600}",
       "t.yaml:1: limits.allocation_age: expected a unit after the number: ms, s, m or h (got 3600)"},
      {"limits: {allocation_age: 59s}",
       "t.yaml:1: limits.allocation_age: expected 0s for none, or a duration in whole seconds from 60s to "
       "8760h, "
       "such as 12h (got 59s)"},
      {"limits: {allocation_age: 60500ms}",
       "t.yaml:1: limits.allocation_age: expected 0s for none, or a duration in whole seconds from 60s to "
       "8760h, "
       "such as 12h (got 60500ms)"},
      {"limits: {allocation_lifetime: 3600}",
       "t.yaml:1: limits.allocation_lifetime: expected a unit after the number: ms, s, m or h (got 3600)"},
      {"limits: {allocation_lifetime: 599s}",
       "t.yaml:1: limits.allocation_lifetime: expected a duration in whole seconds from 600s to 24h, such as "
       "600s, "
       "10m or 1h (got 599s)"},
      {"limits: {allocation_lifetime: 25h}",
       "t.yaml:1: limits.allocation_lifetime: expected a duration in whole seconds from 600s to 24h, such as "
       "600s, "
       "10m or 1h (got 25h)"},
      {"limits: {allocation_lifetime: 600500ms}",
       "t.yaml:1: limits.allocation_lifetime: expected a duration in whole seconds from 600s to 24h, such as "
       "600s, "
       "10m or 1h (got 600500ms)"},
      {"limits: {allocation_lifetime: 0}",
       "t.yaml:1: limits.allocation_lifetime: expected a unit after the number: ms, s, m or h (got 0)"},
      {"limits: 5", "t.yaml:1: limits: expected a map (got 5)"},
      {"log: {level: warn}", "t.yaml:1: log.level: expected one of debug, info, warning, error (got warn)"},
      {"log: {format: xml}", "t.yaml:1: log.format: expected text or json (got xml)"},
      {"log: [text]", "t.yaml:1: log: expected a map (got a list)"},
  });
}

TEST_CASE("listeners have errors", "[config]") {
  check_all({
      {"listen: udp://0.0.0.0:1",
       "t.yaml:1: listen: expected a list of at least one URL (got udp://0.0.0.0:1)"},
      {"listen:\n  url: udp://0.0.0.0:1",
       "t.yaml:1: listen: expected a list of at least one URL (got a map)"},
      {"listen: []", "t.yaml:1: listen: expected a list of at least one URL (got a list)"},
      {"listen: [{}]", "t.yaml:1: listen[0]: expected a url (got a map)"},
      {"listen: [{url: 5}]",
       "t.yaml:1: listen[0].url: expected udp://, tcp://, tls://, dtls:// or auto:// and ADDRESS:PORT, such "
       "as "
       "udp://0.0.0.0:3478 or udp://[::]:3478 (got 5)"},
      {"listen:\n- udp://0.0.0.0:1\n- udp://0.0.0.0:1",
       "t.yaml:3: listen[1]: expected an address and port that listen[0] does not take (got "
       "udp://0.0.0.0:1)"},
      {"listen:\n- udp://0.0.0.0:1\n- udp://127.0.0.1:1",
       "t.yaml:3: listen[1]: expected an address and port that listen[0] does not take (got "
       "udp://127.0.0.1:1)"},
      {"listen:\n- udp://0.0.0.0:2\n- udp://[::1]:1\n- {url: 'udp://[::]:1'}",
       "t.yaml:4: listen[2].url: expected an address and port that listen[1] does not take (got "
       "\"udp://[::]:1\")"},
      {"listen:\n- tcp://0.0.0.0:1\n- udp://0.0.0.0:1\n- tls://127.0.0.1:1",
       "t.yaml:4: listen[2]: expected an address and port that listen[0] does not take (got "
       "tls://127.0.0.1:1)"},
      {"listen: [tls://0.0.0.0:1]",
       "t.yaml:1: listen[0]: tls:// needs tls.certificate\nt.yaml:1: listen[0]: tls:// needs "
       "tls.private_key"},
      {"tls: {certificate: /etc/passwd}\nlisten:\n- tls://0.0.0.0:1",
       "t.yaml:1: tls: certificate needs private_key\nt.yaml:3: listen[0]: tls:// needs tls.private_key"},
      {"listen: [tcp://0.0.0.0:8080]\nsignaling:\n  access: open\n  listen: http://127.0.0.1:8080",
       "t.yaml:4: signaling.listen: listens where listen[0] does: expected another address or port"},
      {"listen: ['tcp://[::1]:8080', tcp://127.0.0.1:8080]\nsignaling: {listen: ['http://[::]:8080'], "
       "access: open}",
       "t.yaml:2: signaling.listen: listens where listen[0] does: expected another address or port"},
      {"listen: [dtls://0.0.0.0:1]",
       "t.yaml:1: listen[0]: dtls:// needs tls.certificate\nt.yaml:1: listen[0]: dtls:// needs "
       "tls.private_key"},
      {"tls: {private_key: /etc/passwd}\nlisten:\n- dtls://0.0.0.0:1",
       "t.yaml:1: tls: private_key needs certificate\nt.yaml:3: listen[0]: dtls:// needs tls.certificate"},
      {"tls: {certificate: /etc/passwd, private_key: /etc/passwd}\nlisten: [udp://0.0.0.0:1, "
       "dtls://127.0.0.1:1]",
       "t.yaml:2: listen[1]: expected an address and port that listen[0] does not take (got "
       "dtls://127.0.0.1:1)"},
      {"listen:\n- tcp://0.0.0.0:1\n- auto://127.0.0.1:1",
       "t.yaml:3: listen[1]: expected an address and port that listen[0] does not take (got "
       "auto://127.0.0.1:1)"},
      {"listen: [auto://0.0.0.0:8080]\nsignaling: {access: open}",
       "t.yaml:2: signaling: listens where listen[0] does: expected another address or port, or listen: [] "
       "since auto:// serves the page as well"},
      {"listen: [auto://0.0.0.0:1]\nsignaling: {listen: []}",
       "t.yaml:2: signaling: expected token_secrets, since access is token by default where others can reach "
       "it, by an address, a proxy or a public host; or access: open, for everybody"},
      {"listen: [{url: auto://0.0.0.0:1, proxy_protocol: [10.0.0.0/8], proxy_header: first}]",
       "t.yaml:1: listen[0].proxy_header: is for udp:// and dtls:// only"},
      {"listen: [{url: udp://0.0.0.0:1, proxy_protocol: [\"::ffff:10.0.0.9\"]}]",
       "t.yaml:1: listen[0].proxy_protocol[0]: expected an IPv4 prefix in its own form, such as 10.20.0.0/16 "
       "(got \"::ffff:10.0.0.9\")"},
      {"listen: [{url: udp://0.0.0.0:1, proxy_header: first}]",
       "t.yaml:1: listen[0].proxy_header: needs proxy_protocol"},
      {"listen: [{url: udp://0.0.0.0:1, proxy_protocol: [10.0.0.0/8], proxy_header: second}]",
       "t.yaml:1: listen[0].proxy_header: expected each or first (got second)"},
      {"listen: [{url: udp://0.0.0.0:1, proxy_protocol: [10.0.0.0/8], proxy_header: [each]}]",
       "t.yaml:1: listen[0].proxy_header: expected each or first (got a list)"},
      {"listen: [{url: udp://0.0.0.0:1, proxy_protocol: []}]",
       "t.yaml:1: listen[0].proxy_protocol: expected at least one prefix (got a list)"},
      {"listen: [{url: tcp://0.0.0.0:1, proxy_protocol: 10.0.0.0/8}]",
       "t.yaml:1: listen[0].proxy_protocol: expected a list of prefixes (got 10.0.0.0/8)"},
      {"listen: [{url: tcp://0.0.0.0:1, proxy_protocol: []}]",
       "t.yaml:1: listen[0].proxy_protocol: expected at least one prefix (got a list)"},
      {"listen: [{url: tcp://0.0.0.0:1, proxy_protocol: [10.0.0.1/8]}]",
       "t.yaml:1: listen[0].proxy_protocol[0]: expected a prefix such as 10.20.0.0/16 or 2001:db8::/32, or "
       "one "
       "address (got 10.0.0.1/8)"},
      {"listen: [{url: tcp://0.0.0.0:1, proxy_protcol: [10.0.0.0/8]}]",
       "t.yaml:1: listen[0].proxy_protcol: unknown key, did you mean listen[0].proxy_protocol?"},
  });
  constexpr std::string_view kWeb =
      "expected ADDRESS:PORT of a web server, such as 127.0.0.1:8443 or \"[::1]:8443\" (got ";
  for (const std::string web : {"8443", "localhost:8443", "127.0.0.1", "127.0.0.1:0", "0.0.0.0:8443",
                                "224.0.0.1:8443", "http://127.0.0.1:8443"}) {
    CHECK(outcome("listen:\n- url: auto://0.0.0.0:443\n  web: " + web) ==
          "t.yaml:3: listen[0].web: " + std::string(kWeb) + web + ")");
  }
  check_all({
      {"listen: [{url: tls://0.0.0.0:443, web: '127.0.0.1:8443'}]",
       "t.yaml:1: listen[0].web: is for auto:// only"},
      {"listen: [{url: auto://0.0.0.0:443, web: [a]}]",
       "t.yaml:1: listen[0].web: " + std::string(kWeb) + "a list)"},
      {"listen:\n- url: auto://0.0.0.0:443\n  web_proxy_protocol: true",
       "t.yaml:3: listen[0].web_proxy_protocol: is for listeners that have web"},
      {"listen:\n- url: auto://0.0.0.0:443\n  web: 127.0.0.1:1\n  web_proxy_protocol: 2",
       "t.yaml:4: listen[0].web_proxy_protocol: expected true or false (got 2)"},
      {"listen: [{url: auto://0.0.0.0:443, webb: '127.0.0.1:8443'}]",
       "t.yaml:1: listen[0].webb: unknown key, did you mean listen[0].web?"},
      {"listen:\n- tcp://0.0.0.0:80\n- url: auto://0.0.0.0:443\n  web: 127.0.0.1:443",
       "t.yaml:4: listen[1].web: expected a web server elsewhere than at listen[1] (got 127.0.0.1:443)"},
      {"listen:\n- tcp://[::1]:80\n- url: auto://0.0.0.0:443\n  web: '[::1]:80'",
       "t.yaml:4: listen[1].web: expected a web server elsewhere than at listen[0] (got \"[::1]:80\")"},
      {"listen: [{url: auto://127.0.0.1:443, web: '127.0.0.1:8080'}]\nsignaling: {access: open}",
       "t.yaml:1: listen[0].web: expected a web server elsewhere than at signaling.listen (got "
       "\"127.0.0.1:8080\")"},
      {"admin: {listen: ['http://127.0.0.1:9641', 'http://127.0.0.1:9641']}",
       "t.yaml:1: admin.listen: listens where another listener does: expected another address or port"},
      {"listen: [{url: auto://127.0.0.1:443, web: '127.0.0.1:9641'}]\nadmin: {listen: http://0.0.0.0:9641}",
       "t.yaml:1: listen[0].web: expected a web server elsewhere than at admin.listen (got "
       "\"127.0.0.1:9641\")"},
      {"limits: {web_idle_timeout: 25h}",
       "t.yaml:1: limits.web_idle_timeout: expected a duration from 100ms to 86400s, such as 500ms, 45s or "
       "2m "
       "(got 25h)"},
  });
  for (const std::string url : {"0.0.0.0:3478", "http://0.0.0.0:1", "udp://0.0.0.0", "udp://example.org:1",
                                "udp://0.0.0.0:65536", "UDP://0.0.0.0:1", "udp://224.0.0.1:1",
                                "udp://0.0.0.0:1/", "udp://[fe80::1]:1", "udp://[::ffff:1.2.3.4]:1"}) {
    CHECK(
        outcome("listen:\n- " + url) ==
        "t.yaml:2: listen[0]: expected udp://, tcp://, tls://, dtls:// or auto:// and ADDRESS:PORT, such as "
        "udp://0.0.0.0:3478 or udp://[::]:3478 (got " +
            url + ")");
  }
}

TEST_CASE("relayed addresses have errors", "[config]") {
  check_all({
      {"relay: {addresses: auto}",
       "t.yaml:1: relay.addresses: expected [auto] or a list of addresses (got auto)"},
      {"relay: {addresses: []}",
       "t.yaml:1: relay.addresses: expected [auto] or a list of addresses (got a list)"},
      {"relay: {addresses: [10.0.0.1, auto]}",
       "t.yaml:1: relay.addresses[1]: expected auto to be the only item of the list (got auto)"},
      {"relay: {addresses: [0.0.0.0]}",
       "t.yaml:1: relay.addresses[0]: expected an IPv4 or IPv6 address that a host can have (got 0.0.0.0)"},
      {"relay: {addresses: [eth0]}",
       "t.yaml:1: relay.addresses[0]: expected an IPv4 or IPv6 address that a host can have (got eth0)"},
      {"relay: {addresses: [10.0.0.1, 10.0.0.1]}",
       "t.yaml:1: relay.addresses[1]: expected each address once (got 10.0.0.1)"},
      {"relay: {advertise: example.org}",
       "t.yaml:1: relay.advertise: expected an IPv4 or IPv6 address that a host can have (got example.org)"},
      {"relay: {advertise: [198.51.100.7, 198.51.100.8]}",
       "t.yaml:1: relay.advertise[1]: expected one address of each family (got 198.51.100.8)"},
      {"relay: {advertise: 127.0.0.1, addresses: [127.0.0.1]}",
       "t.yaml:1: relay.advertise: expected an address that is not a local one here (got 127.0.0.1)"},
      {"relay: {advertise: 198.51.100.7, addresses: [10.0.0.5, 10.0.0.6, 'fd00::5']}",
       "t.yaml:1: relay.advertise: expected one address of this family in relay.addresses, or the local "
       "address as "
       "a key, as in {10.0.0.5: 198.51.100.7} (got 198.51.100.7)"},
      {"relay: {advertise: ['2001:db8::7', 198.51.100.7], addresses: [10.0.0.5]}",
       "t.yaml:1: relay.advertise[0]: expected one address of this family in relay.addresses, or the local "
       "address "
       "as a key, as in {10.0.0.5: 198.51.100.7} (got \"2001:db8::7\")"},
      {"relay: {advertise: {eth0: 10.0.0.1}}",
       "t.yaml:1: relay.advertise.eth0: expected as its key an IPv4 or IPv6 address that a host can have"},
      {"relay: {advertise: {10.0.0.5: example.org}}",
       "t.yaml:1: relay.advertise.10.0.0.5: expected an address of the same family that a host can have (got "
       "example.org)"},
      {"relay: {advertise: {10.0.0.5: '2001:db8::1'}}",
       "t.yaml:1: relay.advertise.10.0.0.5: expected an address of the same family that a host can have (got "
       "\"2001:db8::1\")"},
      {"relay:\n  advertise:\n    fd00::1: 2001:db8::1\n    fd00:0::1: 2001:db8::2",
       "t.yaml:4: relay.advertise.fd00:0::1: expected each local address once (got 2001:db8::2)"},
      {"relay:\n  advertise:\n    10.0.0.5: 198.51.100.7\n    10.0.0.6: 198.51.100.7",
       "t.yaml:4: relay.advertise.10.0.0.6: expected an address that is advertised for one local address "
       "only (got "
       "198.51.100.7)"},
      {"relay: {advertise: {10.0.0.5: 10.0.0.5}}",
       "t.yaml:1: relay.advertise.10.0.0.5: expected an address that is not a local one here (got 10.0.0.5)"},
      {"relay: {addresses: [10.0.0.6], advertise: {10.0.0.5: 198.51.100.7}}",
       "t.yaml:1: relay.advertise.10.0.0.5: expected as its key one of relay.addresses"},
  });
  for (const std::string ports :
       {"49152", "1023-2000", "2000-1999", "49152-65536", "49152 - 65535", "-1", "1024-"}) {
    CHECK(outcome("relay: {ports: " + ports + "}") ==
          "t.yaml:1: relay.ports: expected FIRST-LAST within 1024-65535, such as 49152-65535 (got " + ports +
              ")");
  }
}

TEST_CASE("a cluster needs its three keys, and shows no secret", "[config]") {
  const std::string rest = "secret: 0123456789abcdef, node: a.example.org}";
  const std::string url_form =
      "expected redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE for a connection with TLS, or "
      "unix:/PATH, such as "
      "redis://127.0.0.1:6379/0 (got a text that is not shown here)";
  check_all({
      {"cluster: {redis: 'redis://127.0.0.1', node: a.example.org}",
       "t.yaml:1: cluster: needs redis, secret and node: expected all three, or none"},
      {"relay: {alternate_servers: cluster}",
       "t.yaml:1: relay.alternate_servers: expected the keys of cluster as well"},
      {"relay: {alternate_servers: all}",
       "t.yaml:1: relay.alternate_servers: expected a list of URLs, or cluster for its other nodes (got "
       "all)"},
      {"cluster: {node: a.example.org}",
       "t.yaml:1: cluster: needs redis, secret and node: expected all three, or none"},
      {"cluster: {redis: 'redis://127.0.0.1', secret: hunter2, node: a.example.org}",
       "t.yaml:1: cluster.secret: expected a secret of at least 16 characters without control characters, or "
       "a list "
       "of such (got a text that is not shown here)"},
      {"cluster: {redis: {user: u}, " + rest, "t.yaml:1: cluster.redis: expected a url (got a map)"},
      {"cluster: {redis: {url: 'redis://h', pass: x}, " + rest,
       "t.yaml:1: cluster.redis: unknown key, expected one of url, user, password"},
      {"cluster: {redis: 'redis://h', prefix: 'a b', " + rest,
       "t.yaml:1: cluster.prefix: expected at most 64 letters, digits and -_.: (got \"a b\")"},
      {"cluster: {redis: 'redis://h', prefix: " + std::string(65, 'p') + ", " + rest,
       "t.yaml:1: cluster.prefix: expected at most 64 letters, digits and -_.: (got " + std::string(64, 'p') +
           "...)"},
      {"admin: {listen: 'unix:/" + std::string(107, 's') + "'}",
       "t.yaml:1: admin.listen: expected unix:/PATH or http://ADDRESS:PORT (got \"unix:/" +
           std::string(58, 's') + "...\")"},
  });
  for (const std::string url : {"127.0.0.1:6379", "http://h", "redis://", "redis://h:0", "redis://h:65536",
                                "redis://h:99999", "redis://h:", "redis://h/x", "redis://h/-1",
                                "redis://h/65536", "redis://h?x", "unix:", "unix:relative"}) {
    CHECK(outcome("cluster: {redis: '" + url + "', " + rest) == "t.yaml:1: cluster.redis: " + url_form);
  }
}

TEST_CASE("credentials are refused without being shown", "[config]") {
  const std::string_view no_password =
      "t.yaml:1: auth.users: expected NAME: PASSWORD, with a space after the colon (got no password)";
  const std::string_view bad_password =
      "t.yaml:1: auth.users.alice: expected a password without control characters, or a map with key_md5, "
      "key_sha256 "
      "or both (got a text that is not shown here)";
  const std::string_view bad_name =
      "t.yaml:1: auth.users: expected a user name of 1 to 508 bytes of UTF-8 without control characters";
  const std::string long_name(509, 'u');
  check_all({
      {"auth: hunter2", "t.yaml:1: auth: expected a map (got a text that is not shown here)"},
      {"auth: {users: {file: /etc/turnpike/users}}",
       "t.yaml:1: auth.users: expected NAME: PASSWORD or NAME: {file: PATH}, since a list of users is not "
       "read from elsewhere (got a map)"},
      {"auth: {users: {env: USERS}}",
       "t.yaml:1: auth.users: expected NAME: PASSWORD or NAME: {file: PATH}, since a list of users is not "
       "read from elsewhere (got a map)"},
      {"auth: {users: [alice, hunter2]}",
       "t.yaml:1: auth.users: expected a map from user names to passwords (got a list)"},
      {"auth: {users: }", "t.yaml:1: auth.users: expected a map from user names to passwords (got nothing)"},
      {"auth: {users: {alice:hunter2}}", no_password},
      {"auth: {users: {alice, hunter2, hunter2}}",
       "t.yaml:1: auth.users: duplicate key, first set at t.yaml:1\n"
       "t.yaml:1: auth.users: expected NAME: PASSWORD, with a space after the colon (got no password)"},
      {"auth: {users: {alice: }}", no_password},
      {"auth: {users: {alice: ''}}", bad_password},
      {"auth: {users: {alice: \"hunter2\\n\"}}", bad_password},
      {"auth: {users: {alice: \"\xff\"}}", bad_password},
      {"auth: {users: {'': hunter2}}", bad_name},
      {"auth: {users: {\"a\\r\\nb\": hunter2}}", bad_name},
      {"auth: {users: {" + long_name + ": hunter2}}", bad_name},
      {"auth: {users: {alice: [hunter2]}}",
       "t.yaml:1: auth.users.alice: expected a password without control characters, or a map with key_md5, "
       "key_sha256 "
       "or both (got a list)"},
      {"auth: {users: {alice: {}}}",
       "t.yaml:1: auth.users.alice: expected key_md5, key_sha256 or both (got a map)"},
      {"auth: {users: {alice: {hunter2: x}}}",
       "t.yaml:1: auth.users.alice: unknown key, expected one of key_md5, key_sha256"},
      {"auth: {users: {alice: {key_md: hunter2}}}",
       "t.yaml:1: auth.users.alice: unknown key, did you mean auth.users.alice.key_md5?"},
      {"auth: {users: {alice: {key_md5: 0011}}}",
       "t.yaml:1: auth.users.alice.key_md5: expected 32 hex digits (got a text that is not shown here)"},
      {"auth: {users: {alice: {key_sha256: 000102030405060708090a0b0c0d0e0f}}}",
       "t.yaml:1: auth.users.alice.key_sha256: expected 64 hex digits (got a text that is not shown here)"},
      {"auth:\n  users:\n    alice: hunter2\n    alice: hunter3",
       "t.yaml:4: auth.users: duplicate key, first set at t.yaml:3"},
      {"auth: {secrets: hunter2}",
       "t.yaml:1: auth.secrets: expected a list of secrets (got a text that is not shown here)"},
      {"auth: {secrets: [longenough, seven77]}",
       "t.yaml:1: auth.secrets[1]: expected a secret of at least 8 characters, better 16 or more, without "
       "control characters "
       "(got a "
       "text that is not shown here)"},
      {"auth: {secrets: [\"hunter2\\n\"]}",
       "t.yaml:1: auth.secrets[0]: expected a secret of at least 8 characters, better 16 or more, without "
       "control characters "
       "(got a "
       "text that is not shown here)"},
      {"auth: {secrets: [{north: hunter2}]}",
       "t.yaml:1: auth.secrets[0]: expected a secret, or {file: PATH} or {env: NAME} (got a map)"},
      {"auth: {secrets:hunter2}",
       "t.yaml:1: auth: unknown key, expected one of users, secrets, database, third_party, nonce_lifetime, "
       "strict_expiry"},
      {"auth: {hunter2: x}",
       "t.yaml:1: auth: unknown key, expected one of users, secrets, database, third_party, nonce_lifetime, "
       "strict_expiry"},
      {"auth: {secret: [hunter2]}", "t.yaml:1: auth: unknown key, did you mean auth.secrets?"},
      {"auth: {nonce_lifetime: 600}",
       "t.yaml:1: auth.nonce_lifetime: expected a unit after the number: ms, s, m or h (got a text that is "
       "not shown "
       "here)"},
      {"auth: {nonce_lifetime: 9s}",
       "t.yaml:1: auth.nonce_lifetime: expected a duration in whole seconds from 10s to 24h, such as 600s, "
       "10m or 1h "
       "(got a text that is not shown here)"},
  });
}

TEST_CASE("third parties are refused without being shown", "[config]") {
  const std::string key = "Y2hhbmdlLW1lLWNoYW5nZS1tZS1jaGFuZ2UtbWUtISE=";
  const auto section = [](const std::string& keys) {
    return "auth: {third_party: {server_name: turn.example.org, keys: [" + keys + "]}}";
  };
  const auto with = [&](const std::string& more) {
    return section("{kid: north, key: " + key + ", " + more + "}");
  };
  const std::string hidden = " (got a text that is not shown here)";
  const std::string at = "t.yaml:1: auth.third_party";
  const std::pair<std::string, std::string> cases[] = {
      {"auth: {third_party: hunter2}", ": expected a map with server_name and keys" + hidden},
      {"auth: {third_party: {server_name: x}}", ": expected server_name and keys, both or neither"},
      {"auth: {third_party: {keys: []}}", ": expected server_name and keys, both or neither"},
      {"auth: {third_party: {server_name: x, key: []}}",
       ": unknown key, did you mean auth.third_party.keys?\n" + at +
           ": expected server_name and keys, both or neither"},
      {"auth: {third_party: {server_name: '', keys: []}}",
       ".server_name: expected the name that the authorization server knows this one by, such as "
       "turn.example.org" +
           hidden},
      {"auth: {third_party: {server_name: x, keys: hunter2}}", ".keys: expected a list of keys" + hidden},
      {section("hunter2"), ".keys[0]: expected a map with kid and key" + hidden},
      {section("{kid: north}"), ".keys[0]: expected kid and key (got a map)"},
      {section("{key: " + key + "}"), ".keys[0]: expected kid and key (got a map)"},
      {section("{kid: '', key: " + key + "}"),
       ".keys[0].kid: expected a name of 1 to 128 bytes of UTF-8 without control characters" + hidden},
      {section("{kid: north, key: hunter2}"), ".keys[0].key: expected a key in base64" + hidden},
      {section("{kid: north, key: aHVudGVyMg==}"),
       ".keys[0]: expected a key of at least 32 bytes before base64"},
      {section("{kid: north, key: aHVudGVyMg==, algorithm: A128GCM}"),
       ".keys[0]: expected a key of at least 16 bytes before base64"},
      {with("algorithm: A192GCM"), ".keys[0].algorithm: expected A256GCM or A128GCM" + hidden},
      {with("hunter2: x"),
       ".keys[0]: unknown key, expected one of kid, key, algorithm, valid_from, lifetime"},
      {with("valid_from: 2026-01-01"),
       ".keys[0].valid_from: expected a time in seconds since 1970, such as 1790000000" + hidden},
      {with("lifetime: 720h"), ".keys[0]: expected valid_from beside lifetime"},
      {with("valid_from: 1790000000, lifetime: 30"),
       ".keys[0].lifetime: expected a unit after the number: ms, s, m or h" + hidden},
      {section("{kid: north, key: " + key + "}, {kid: north, key: " + key + "}"),
       ".keys[1]: expected each kid once"},
  };
  for (const auto& [text, error] : cases) {
    CAPTURE(text);
    CHECK(outcome(text) == at + error);
  }
}

TEST_CASE("alternate servers have errors", "[config]") {
  const std::string form =
      "expected udp://, tcp://, tls:// or dtls:// and the address and port of another server, such as "
      "udp://198.51.100.8:3478";
  const auto wrong = [&](const std::string& url) {
    return "t.yaml:1: relay.alternate_servers[0]: " + form + " (got \"" + url + "\")";
  };
  for (const std::string url : {"198.51.100.8:3478", "http://198.51.100.8:80", "udp://198.51.100.8:0",
                                "udp://b.example.org:3478", "udp://0.0.0.0:3478", "udp://198.51.100.8",
                                "udp://224.0.0.1:3478", "auto://198.51.100.8:443", "udp:", ""}) {
    CAPTURE(url);
    CHECK(outcome("relay: {alternate_servers: [\"" + url + "\"]}") == wrong(url));
  }
  check_all({
      {"relay: {alternate_servers: udp://198.51.100.8:3478}",
       "t.yaml:1: relay.alternate_servers: expected a list of URLs, or cluster for its other nodes (got "
       "udp://198.51.100.8:3478)"},
      {"relay: {alternate_servers: [{domain: b.example.org}]}",
       "t.yaml:1: relay.alternate_servers[0]: expected a url (got a map)"},
      {"relay: {alternate_servers: [{url: \"udp://198.51.100.8:1\", domain: 'a b'}]}",
       "t.yaml:1: relay.alternate_servers[0].domain: expected a host name or an address, such as "
       "turn.example.org (got \"a b\")"},
      {"relay: {alternate_servers: [{url: \"udp://198.51.100.8:1\", name: b}]}",
       "t.yaml:1: relay.alternate_servers[0].name: unknown key, expected one of url, domain"},
      {"relay: {redirect: never}", "t.yaml:1: relay.redirect: expected full or always (got never)"},
  });
}

TEST_CASE("prefixes of peers have errors", "[config]") {
  check_all({
      {"peers: {allow: 10.0.0.0/8}", "t.yaml:1: peers.allow: expected a list of prefixes (got 10.0.0.0/8)"},
      {"peers: {deny: }", "t.yaml:1: peers.deny: expected a list of prefixes (got nothing)"},
      {"peers: {allow: [10.0.0.0/33]}",
       "t.yaml:1: peers.allow[0]: expected a prefix such as 10.20.0.0/16 or 2001:db8::/32, or one address "
       "(got "
       "10.0.0.0/33)"},
      {"peers: {deny: [1.1.1.1, [2.2.2.2]]}",
       "t.yaml:1: peers.deny[1]: expected a prefix such as 10.20.0.0/16 or 2001:db8::/32, or one address "
       "(got a list)"},
      {"peers: {allow: [10.20.1.0/16]}",
       "t.yaml:1: peers.allow[0]: expected no bits beyond the prefix length, that is 10.20.0.0/16 (got "
       "10.20.1.0/16)"},
      {"peers: {deny: ['2001:db8::1/64']}",
       "t.yaml:1: peers.deny[0]: expected no bits beyond the prefix length, that is 2001:db8::/64 (got "
       "\"2001:db8::1/64\")"},
      {"peers: {deny: ['::ffff:10.0.0.0/104']}",
       "t.yaml:1: peers.deny[0]: expected an IPv4 prefix in its own form, such as 10.20.0.0/16 (got "
       "\"::ffff:10.0.0.0/104\")"},
      {"peers:\n  allow: [10.0.0.0/8]\n  deny: [1.0.0.0/8, 10.0.0.0/8]",
       "t.yaml:3: peers.deny[1]: expected a prefix that peers.allow does not have (got 10.0.0.0/8)"},
      {"peers:\n  deny: [10.0.0.1]\n  allow: [10.0.0.1/32]",
       "t.yaml:2: peers.deny[0]: expected a prefix that peers.allow does not have (got 10.0.0.1)"},
      {"relay: {advertise: {10.0.0.5: 198.51.100.7}}\npeers:\n  allow: [10.0.0.5]\n  deny: [198.51.100.7]",
       "t.yaml:4: peers.deny[0]: expected a prefix that peers.allow does not have (got 198.51.100.7)"},
      {"relay: {addresses: [10.0.0.5], advertise: 198.51.100.7}\npeers:\n  allow: [198.51.100.7]\n  deny: "
       "[10.0.0.5]",
       "t.yaml:4: peers.deny[0]: expected a prefix that peers.allow does not have (got 10.0.0.5)"},
      {"relay: {addresses: [10.0.0.5, 'fd00::5'], advertise: ['2001:db8::7', 198.51.100.7]}\npeers:\n  "
       "allow: "
       "['fd00::5']\n  deny: ['2001:db8::7']",
       "t.yaml:4: peers.deny[0]: expected a prefix that peers.allow does not have (got \"2001:db8::7\")"},
      {"relay: {advertise: {10.0.0.5: 198.51.100.7}}\npeers:\n  allow: [198.51.100.7]\n  deny: [10.0.0.5]",
       "t.yaml:4: peers.deny[0]: expected a prefix that peers.allow does not have (got 10.0.0.5)"},
  });
}

std::string not_allowed(const std::string& prefix, const std::string& why) {
  return "--set peers.allow=['" + prefix + "']: peers.allow[0]: " + why + " cannot be allowed (got \"" +
         prefix + "\")";
}

TEST_CASE("some prefixes cannot be allowed, though they may be denied", "[config]") {
  struct Forbidden {
    std::string prefix;
    std::string why;
  };
  const Forbidden cases[] = {
      {"0.0.0.0", "unspecified addresses"},
      {"0.0.0.0/8", "unspecified addresses"},
      {"::/128", "unspecified addresses"},
      {"224.0.0.0/4", "multicast addresses"},
      {"239.1.0.0/16", "multicast addresses"},
      {"ff02::/16", "multicast addresses"},
      {"::/96", "addresses with an IPv4 address inside"},
      {"::7f00:1/128", "addresses with an IPv4 address inside"},
      {"::ffff:0:127.0.0.1", "addresses with an IPv4 address inside"},
      {"64:ff9b::/96", "addresses with an IPv4 address inside"},
      {"64:ff9b:1::/48", "addresses with an IPv4 address inside"},
      {"2001::/32", "addresses with an IPv4 address inside"},
      {"2002:7f00:1::/48", "addresses with an IPv4 address inside"},
  };
  for (const auto& [prefix, why] : cases) {
    CHECK(outcome("", {"peers.allow=['" + prefix + "']"}) == not_allowed(prefix, why));
    CHECK(parse("", "t.yaml", {"peers.deny=['" + prefix + "']"}).has_value());
  }
}

TEST_CASE("NAT discovery needs a second address and a second port that nobody else takes", "[config]") {
  const std::string form =
      "expected ADDRESS:PORT, a second address of this machine and a second port, such as "
      "198.51.100.8:3479";
  const std::string listen =
      "listen: ['udp://192.0.2.1:3478', 'udp://192.0.2.9:3480', 'tcp://192.0.2.2:3479']\n";
  const auto refuses = [&](const std::string& alternate, const std::string& why, const std::string& before) {
    CAPTURE(alternate);
    const int line = before.empty() ? 1 : 2;
    CHECK(outcome(before + "nat_discovery: {alternate: " + alternate + "}") ==
          "t.yaml:" + std::to_string(line) + ": nat_discovery.alternate" + why);
  };
  refuses("yes", ": " + form + " (got yes)", "");
  refuses("198.51.100.8", ": " + form + " (got 198.51.100.8)", "");
  refuses("0.0.0.0:3479", ": " + form + " (got 0.0.0.0:3479)", "");
  refuses("224.0.0.1:3479", ": " + form + " (got 224.0.0.1:3479)", "");
  refuses("{a: b}", ": " + form + " (got a map)", "");
  refuses("[192.0.2.2:1, 192.0.2.3:2]",
          "[1]: expected one alternate for each of IPv4 and IPv6 (got 192.0.2.3:2)", "");
  refuses("'[2001:db8::2]:3479'", ": needs a udp:// listener for IPv6", listen);
  refuses("192.0.2.1:3479", ": expected another address than that of listen[0] (got 192.0.2.1:3479)", listen);
  refuses("192.0.2.2:3478", ": expected another port than that of listen[0] (got 192.0.2.2:3478)", listen);
  refuses("192.0.2.9:3480", ": needs udp://192.0.2.9:3480, which listen[1] takes", listen);
  refuses("192.0.2.2:3480", ": needs udp://0.0.0.0:3480, which listen[1] takes",
          "listen: ['udp://0.0.0.0:3478', 'udp://192.0.2.9:3480']\n");
  refuses("192.0.2.2:3480", ": needs udp://192.0.2.1:3480, which listen[1] takes",
          "listen: ['udp://192.0.2.1:3478', 'udp://0.0.0.0:3480']\n");
  refuses("192.0.2.2:3480", ": needs udp://192.0.2.2:3478, which listen[1] takes",
          "listen: ['udp://192.0.2.1:3478', 'udp://192.0.2.2:3478']\n");
  // The same holds for TCP, when the same address has a TCP listener.
  const std::string both =
      "listen: ['udp://192.0.2.1:3478', 'tcp://192.0.2.1:3480', 'tcp://192.0.2.2:3481']\n";
  refuses("192.0.2.2:3480", ": expected another port than that of listen[1] (got 192.0.2.2:3480)", both);
  refuses("192.0.2.2:3481", ": needs tcp://192.0.2.2:3481, which listen[2] takes", both);
  CHECK(outcome("nat_discovery: {other: 1}") ==
        "t.yaml:1: nat_discovery.other: unknown key, expected one of alternate");
  // Addresses that NAT discovery tells clients are advertised as well.
  const std::string relay =
      "relay: {addresses: [10.0.0.5], advertise: {10.0.0.5: 198.51.100.7, 10.0.0.6: 198.51.100.8}}\n";
  CHECK(outcome(relay) == "t.yaml:1: relay.advertise.10.0.0.6: expected as its key one of relay.addresses");
  CHECK(parse(relay + "nat_discovery: {alternate: 10.0.0.6:3479}", "t.yaml").has_value());
}

TEST_CASE("a database of users is a file in an existing folder", "[config]") {
  const std::string fault =
      "t.yaml:1: auth.database: expected sqlite: and an absolute path, in an existing folder (got ";
  for (const char* wrong :
       {"hunter2", "/tmp/users.db", "'sqlite:'", "sqlite:users.db", "sqlite:/tmp/",
        "sqlite:/nowhere/users.db", "postgresql:/tmp/users.db", "\"sqlite:/tmp/a\\nb\""}) {
    INFO(wrong);
    CHECK(outcome("auth: {database: " + std::string(wrong) + "}") ==
          fault + "a text that is not shown here)");
  }
  CHECK(outcome("auth: {database: }") == fault + "nothing)");
  CHECK(outcome("auth: {database: [sqlite:/tmp/users.db]}") == fault + "a list)");
}

TEST_CASE("limits that shape, networks of clients and TLS have errors", "[config]") {
  const std::string rate = "expected octets in a second, such as 1250000, 512KiB or 4MiB, or 0 for no limit";
  check_all({
      {"limits: {bytes_per_second: '0'}", "t.yaml:1: limits.bytes_per_second: " + rate + " (got \"0\")"},
      {"limits: {bytes_per_second_per_user: 5MB}",
       "t.yaml:1: limits.bytes_per_second_per_user: " + rate + " (got 5MB)"},
      {"limits: {bytes_per_second_per_allocation: -1}",
       "t.yaml:1: limits.bytes_per_second_per_allocation: " + rate + " (got -1)"},
      {"clients: {deny: 10.0.0.0/8}", "t.yaml:1: clients.deny: expected a list of prefixes (got 10.0.0.0/8)"},
      {"clients: {allow: [10.0.0.1/8]}",
       "t.yaml:1: clients.allow[0]: expected no bits beyond the prefix length, that is 10.0.0.0/8 (got "
       "10.0.0.1/8)"},
      {"clients: {allow: [10.0.0.0/8], deny: [10.0.0.0/8]}",
       "t.yaml:1: clients.deny[0]: expected a prefix that clients.allow does not have (got 10.0.0.0/8)"},
      {"relay: {default_family: ipv5}",
       "t.yaml:1: relay.default_family: expected one of ipv4, ipv6, client (got ipv5)"},
      {"relay: {batching: {delay: 2ms}}",
       "t.yaml:1: relay.batching.delay: expected 0 for none, or a duration up to 1ms, such as 100us (got "
       "2ms)"},
      {"relay: {batching: {delay: 100}}",
       "t.yaml:1: relay.batching.delay: expected 0 for none, or a duration up to 1ms, such as 100us (got "
       "100)"},
      {"relay: {batching: 100us}", "t.yaml:1: relay.batching: expected a map (got 100us)"},
      {"auth: {strict_expiry: yes}",
       "t.yaml:1: auth.strict_expiry: expected true or false (got a text that is not "
       "shown here)"},
      {"tls: {min_version: 1.1}", "t.yaml:1: tls.min_version: expected 1.2 or 1.3 (got 1.1)"},
      {"tls: {ciphers: 'A B'}",
       "t.yaml:1: tls.ciphers: expected OpenSSL's names with colons between them, such as "
       "ECDHE+AESGCM:TLS_AES_128_GCM_SHA256 (got \"A B\")"},
      {"tls: {ciphers: 'FOO:ECDHE+AESGCM'}",
       "t.yaml:1: tls.ciphers: OpenSSL knows no cipher of the name FOO"},
      {"tls: {certificate: /etc/passwd}", "t.yaml:1: tls: certificate needs private_key"},
      {"tls: {private_key: /etc/passwd}", "t.yaml:1: tls: private_key needs certificate"},
      {"log: {addresses: none}", "t.yaml:1: log.addresses: expected full or prefix (got none)"},
  });
  const auto config = parse(
      "limits: {bytes_per_second: 4MiB, bytes_per_second_per_user: 512KiB, "
      "bytes_per_second_per_allocation: 1000, allocations_per_address: 7}\n"
      "clients: {allow: [10.0.0.0/8], deny: [10.1.0.0/16], exempt: ['2001:db8::/32']}\n"
      "relay: {default_family: client, batching: {delay: 250us}}\nauth: {strict_expiry: true}\nlog: "
      "{addresses: prefix}\n"
      "tls: {min_version: 1.3, ciphers: TLS_AES_128_GCM_SHA256}\n",
      "t.yaml");
  REQUIRE(config.has_value());
  CHECK(config->limits.bytes_per_second == 4U << 20);
  CHECK(config->limits.bytes_per_second_per_user == 512U << 10);
  CHECK(config->limits.bytes_per_second_per_allocation == 1000);
  CHECK(config->limits.allocations_per_address == 7);
  CHECK(config->clients.allow.size() + config->clients.deny.size() + config->clients.exempt.size() == 3);
  CHECK(config->relay.default_family == turn::DefaultFamily::client);
  CHECK(config->batching_delay == std::chrono::microseconds(250));
  CHECK(config->auth.strict_expiry);
  CHECK(config->tls.only_tls_1_3);
  CHECK(config->log.addresses == ShownAddresses::prefix);
}

TEST_CASE("what is offloaded to the kernel is nothing, and a configuration may say so", "[config]") {
  CHECK(outcome("offload: {mode: off, interfaces: []}") == outcome(""));
  CHECK(outcome("offload:\n  # mode: off\n") == outcome(""));
  const Result<Config, Errors> config = parse("offload: {mode: off, interfaces: [eth0]}", "t.yaml");
  REQUIRE(config.has_value());
  CHECK(config->warnings ==
        std::vector<std::string>{"offload.interfaces: this key has no effect, because offload.mode is off"});
  check_all({
      {"offload:\n  mode: native\n",
       "t.yaml:2: offload.mode: expected off, since this build has no relay in the kernel (got native)"},
      {"offload: on", "t.yaml:1: offload: expected a map with mode and interfaces (got on)"},
      {"offload: {interfaces: eth0}",
       "t.yaml:1: offload.interfaces: expected a list of network interfaces (got eth0)"},
      {"offload: {interfaces: [[]]}",
       "t.yaml:1: offload.interfaces[0]: expected the name of a network interface (got a list)"},
      {"offload: {mood: off}", "t.yaml:1: offload.mood: unknown key, did you mean offload.mode?"},
  });
}

TEST_CASE("a fault that begins with the path of a key is shown with its place", "[config]") {
  const Result<Config, Errors> config = parse(
      "tls:\n  min_version: 1.2\nauth: {users: {ann: x}}\nlog: {}\nlisten:\n  - udp://127.0.0.1:1\n"
      "  # the other family\n  - url: udp://[::1]:1\n",
      "t.yaml", {"log.level=debug"});
  REQUIRE(config.has_value());
  const auto shown = [&](std::string_view fault) { return add_place(config->places, fault); };
  CHECK(shown("tls.min_version: x") == "t.yaml:2: tls.min_version: x");
  CHECK(shown("auth.users and auth.database: x") == "t.yaml:3: auth.users and auth.database: x");
  CHECK(shown("tls.certificates[1].certificate: x") == "t.yaml:1: tls.certificates[1].certificate: x");
  CHECK(shown("log.level: x") == "log.level: x");  // from the override
  CHECK(shown("log.format: x") == "t.yaml:4: log.format: x");
  CHECK(shown("realm: x") == "realm: x");
  CHECK(shown("listen[0]: x") == "t.yaml:6: listen[0]: x");
  CHECK(shown("listen[1]: x") == "t.yaml:8: listen[1]: x");
  CHECK(shown("listen[2]: x") == "t.yaml:5: listen[2]: x");  // the list begins there
  CHECK(shown("[: x") == "[: x");
  CHECK(shown("cannot listen") == "cannot listen");
  CHECK(shown("") == "");
}

TEST_CASE("all errors of a file are reported together", "[config]") {
  CHECK(outcome("relm: x\nworkers: 0\nlisten:\n  - udp://0.0.0.0:1\n  - udp://x\nlog:\n  level: loud\n") ==
        "t.yaml:1: relm: unknown key, did you mean realm?\n"
        "t.yaml:2: workers: expected auto or a number from 1 to 1024 (got 0)\n"
        "t.yaml:5: listen[1]: expected udp://, tcp://, tls://, dtls:// or auto:// and ADDRESS:PORT, such as "
        "udp://0.0.0.0:3478 "
        "or "
        "udp://[::]:3478 (got udp://x)\n"
        "t.yaml:7: log.level: expected one of debug, info, warning, error (got loud)");
}

}  // namespace
}  // namespace turnpike::config
