// Tests the admin socket and turnpikectl while clients relay: what operators see, end, drain and reload.
#include <signal.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/controlled.hpp"
#include "support/relay_client.hpp"
#include "support/relaying.hpp"
#include "support/tls_daemon.hpp"
#include "turnpike/base/printable.hpp"
#include "turnpike/base/text.hpp"

namespace turnpike::test {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::size_t kControlSizes[] = {1, 160, 1100};

TEST_CASE("allocations are shown with who, from where and how much, and can be ended",
          "[integration][control]") {
  Controlled server;
  client::UdpSocket peer(loopback(Family::ipv4));
  RelayClient alice = server.client();
  RelayClient bob = server.client("bob", "hunter2");
  REQUIRE(alice.allocate() == 0);
  REQUIRE(alice.bind(0x4000, peer.local()) == 0);
  expect_relaying(alice, peer, 0x4000, kControlSizes);
  REQUIRE(bob.allocate() == 0);
  CHECK(allocations(server).size() == 2);
  const json::array list = allocations(server, {"--user", "alice"});
  REQUIRE(list.size() == 1);
  const json::object& one = list.front().as_object();
  CHECK(one.at("client").as_string() == alice.local().to_string());
  CHECK(one.at("transport").as_string() == "udp");
  CHECK(one.at("relayed").as_array().front().as_string() == alice.relayed().to_string());
  CHECK(one.at("peers").as_int64() == 1);
  CHECK(one.at("channels").as_int64() == 1);
  CHECK(one.at("rx_packets").as_int64() == 3);
  CHECK(one.at("rx_bytes").as_int64() == 1261);
  CHECK(one.at("tx_packets").as_int64() == 3);
  CHECK(one.at("tx_bytes").as_int64() == 1261);
  CHECK(allocations(server, {"--address", "192.0.2.1"}).empty());
  CHECK(server.control({"allocations", "--address", "nowhere"}).code == 1);

  const std::string id(one.at("id").as_string());
  CHECK(server.control({"kill", id}).code == 0);
  CHECK(server.control({"kill", id}).code == 1);
  for (const char* none : {"0", "-", "9-1", "0-x", "0-18446744073709551616", "../x"}) {
    INFO(none);
    CHECK(server.control({"kill", "--", none}).code == 1);
  }
  CHECK(alice.refresh(600s) == 437);
  CHECK(bob.refresh(600s) == 0);
  CHECK(server.control({"status"}).json().at("allocations").as_int64() == 1);
}

TEST_CASE("a reload changes users, peers and limits beside a call", "[integration][control]") {
  Controlled server;
  client::UdpSocket peer(loopback(Family::ipv4));
  RelayClient alice = server.client();
  RelayClient bob = server.client("bob", "hunter2");
  REQUIRE(alice.allocate() == 0);
  REQUIRE(alice.bind(0x4000, peer.local()) == 0);
  REQUIRE(bob.allocate() == 0);

  server.write_config(R"(
realm: example.org
workers: 3
listen: ["udp://127.0.0.1:0", "udp://[::1]:0"]
relay: {addresses: [127.0.0.1, "::1"]}
auth: {users: {alice: secret, carol: s3cret}, secrets: [north-star-secret]}
peers: {allow: [127.0.0.0/8, "::1/128"]}
limits: {unauthenticated_per_second: 0, allocation_lifetime: 700s}
)");
  const CommandOutcome dry = server.control({"reload", "--dry-run"});
  REQUIRE(dry.code == 0);
  CHECK(dry.json().at("sessions_ended").as_int64() == 1);
  CHECK(server.client("carol", "s3cret").allocate() == 401);
  const CommandOutcome done = server.control({"reload"});
  REQUIRE(done.code == 0);
  CHECK_THAT(done.text, Catch::Contains("limits.allocation_lifetime: 3600s -> 700s"));
  CHECK_THAT(done.text, Catch::Contains("auth.users: changed"));
  CHECK_THAT(done.text, Catch::Contains("workers: 2 -> 3"));
  CHECK_THAT(done.text, !Catch::Contains("s3cret"));
  CHECK(server.client("carol", "s3cret").allocate() == 0);
  expect_relaying(alice, peer, 0x4000, kControlSizes);
  CHECK(bob.refresh(600s) != 0);
  REQUIRE(server.daemon.wait_for_log("allocation deleted client=" + bob.local().to_string()));
  CHECK_THAT(server.daemon.log(), !Catch::Contains("s3cret"));

  // What the new policy forbids ends at once.
  server.write_config(R"(
realm: example.org
listen: ["udp://127.0.0.1:0", "udp://[::1]:0"]
relay: {addresses: [127.0.0.1, "::1"]}
auth: {users: {alice: secret}, secrets: [north-star-secret]}
limits: {unauthenticated_per_second: 0}
)");
  const std::size_t before = server.daemon.log().size();
  kill(server.daemon.pid(), SIGHUP);
  REQUIRE(server.daemon.wait_for_log("reloaded", before));
  CHECK(alice.permit(peer.local()) == 403);
  alice.send_on_channel(0x4000, octets("lost"));
  CHECK(alice.refresh(600s) == 0);  // what she sent before was dealt with
  CHECK_FALSE(peer.receive(0ms));
}

TEST_CASE("a reload that denies a network ends what came from there, by every transport",
          "[integration][control]") {
  const std::string listen = "listen=[\"udp://127.0.0.1:0\", \"tcp://127.0.0.1:0\"]";
  Controlled server({listen});
  RelayClient by_udp = server.client();
  RelayClient by_tcp(server.daemon.listener(1), Transport::tcp);
  RelayClient elsewhere(server.daemon.listener(0), {.credentials = client::Credentials{"alice", "secret"}},
                        Endpoint::parse("127.0.0.2:0").value());
  for (RelayClient* each : {&by_udp, &by_tcp, &elsewhere}) REQUIRE(each->allocate() == 0);
  server.write_config(std::string(kLoopbackConfig) + "clients: {deny: [127.0.0.1]}\n");
  const json::value dry = server.control({"reload", "--dry-run"}).json();
  CHECK(dry.at("sessions_ended").as_int64() == 2);
  std::set<std::string> named;
  for (const json::value& one : dry.at("sessions").as_array()) named.emplace(one.at("client").as_string());
  CHECK(named == std::set{by_udp.local().to_string(), by_tcp.local().to_string()});
  REQUIRE(server.control({"reload"}).code == 0);
  REQUIRE(server.daemon.wait_for_log("allocation deleted client=" + by_udp.local().to_string()));
  REQUIRE(server.daemon.wait_for_log("allocation deleted client=" + by_tcp.local().to_string()));
  CHECK(is_closed(by_tcp.stream()));
  CHECK(elsewhere.refresh(600s) == 0);
  CHECK(allocations(server).size() == 1);
}

TEST_CASE("a user's allocations are listed under the name by which they can be ended",
          "[integration][control]") {
  Controlled server;
  crypto::Digester digester;
  const WallTime expires(
      std::chrono::duration_cast<Duration>((std::chrono::system_clock::now() + 1h).time_since_epoch()));
  const client::Credentials made = client::rest_credentials(digester, "north-star-secret", "sam", expires);
  RelayClient sam = server.client(made.username, made.password);
  RelayClient alice = server.client();
  REQUIRE(sam.allocate() == 0);
  REQUIRE(alice.allocate() == 0);
  CHECK(allocations(server, {"--user", "sam"}).size() == 1);
  CHECK(allocations(server, {"--user", made.username}).size() == 1);
  REQUIRE(server.control({"kill", "--user", "sam"}).code == 0);
  REQUIRE(server.daemon.wait_for_log("allocation deleted client=" + sam.local().to_string()));
  CHECK(allocations(server).size() == 1);
}

TEST_CASE("what ends with the daemon has the line of its end as well", "[integration][control]") {
  Controlled server;
  RelayClient alice = server.client();
  REQUIRE(alice.allocate() == 0);
  const std::string local = alice.local().to_string();
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("allocation deleted client=" + local));
  CHECK_THAT(server.daemon.log(), Catch::Contains("reason=stopped"));
}

// There is no service manager for this daemon.
TEST_CASE("what keeps clients out is said in the log, whoever has started the daemon",
          "[integration][control]") {
  Controlled server({"limits.bindings_per_second=1"});
  RelayClient client = server.client();
  const auto request = client.turn().binding();
  for (int i = 0; i < 100; ++i) client.send_raw(request.bytes);
  CHECK(server.daemon.wait_for_log("Binding requests had no answer because of limits.bindings_per_second"));
}

TEST_CASE("a reload says that it ends what it ends, and nothing else", "[integration][control]") {
  Controlled server;
  RelayClient alice = server.client();
  RelayClient bob = server.client("bob", "hunter2");
  REQUIRE(alice.allocate() == 0);
  REQUIRE(bob.allocate() == 0);
  const auto ended_with = [&](const std::string& users) {
    std::string config = kLoopbackConfig;
    const std::string before = "users: {alice: secret, bob: hunter2}";
    config.replace(config.find(before), before.size(), "users: " + users);
    server.write_config(config);
    const std::int64_t dry = server.control({"reload", "--dry-run"}).json().at("sessions_ended").as_int64();
    const std::int64_t done = server.control({"reload"}).json().at("sessions_ended").as_int64();
    CHECK(dry == done);
    return done;
  };
  // This key is the SHA-256 of "alice:example.org:secret". This client has used no other key.
  CHECK(ended_with("{alice: {key_sha256: d1659fff7a501be15962adc35514ca6a5868905695f2dd1093741f931e000a1f}, "
                   "bob: hunter2}") == 0);
  CHECK(alice.refresh(600s) == 0);
  CHECK(ended_with("{alice: changed-since, bob: hunter2}") == 1);
  CHECK(alice.refresh(600s) != 0);
  CHECK(bob.refresh(600s) == 0);
}

TEST_CASE("a bad file changes nothing and says why", "[integration][control]") {
  Controlled server;
  RelayClient alice = server.client();
  REQUIRE(alice.allocate() == 0);
  const struct {
    const char* text;
    const char* error;
  } kBad[] = {
      {"auth: {users: {alice: secret}", "not valid YAML"},
      {"realm: example.org\nlimts: {}\n", ":2: limts: unknown key"},
      {"peers: {allow: [300.0.0.0/8]}\n", ":1: peers.allow[0]"},
      {"auth: {users: {alice: [1, 2]}}\n", ":1: auth.users"},
      {"limits: {allocations: many}\n", ":1: limits.allocations"},
      {"realm: example.org\nauth:\n  users: {\"a\\u00adb\": secret}\n", ":3: auth.users: "},
      {"tls: {certificate: /nowhere.pem, private_key: /nowhere.key}\n", ":1: tls.certificate"},
      {"relay: {addresses: [127.0.0.1], advertise: {10.9.9.9: 198.51.100.1}}\n", "relay.advertise"},
  };
  for (const auto& bad : kBad) {
    INFO(bad.text);
    server.write_config(bad.text);
    for (const auto& command : {std::vector<std::string>{"reload", "--dry-run"}, {"reload"}}) {
      const CommandOutcome outcome = server.control(command);
      CHECK(outcome.code == 1);
      CHECK_THAT(outcome.text, Catch::Contains(bad.error));
    }
    CHECK(alice.refresh(600s) == 0);
  }
  CHECK(server.client("bob", "hunter2").allocate() == 0);
}

TEST_CASE("a drain lets nobody new in, and ends with the last call", "[integration][control]") {
  Controlled server;
  client::UdpSocket peer(loopback(Family::ipv4));
  RelayClient alice = server.client();
  REQUIRE(alice.allocate() == 0);
  REQUIRE(server.control({"drain", "--deadline", "1m"}).code == 0);
  CHECK(server.control({"status"}).json().at("draining").as_bool());
  CHECK(server.client("bob", "hunter2").allocate() == 508);
  REQUIRE(alice.bind(0x4000, peer.local()) == 0);
  expect_relaying(alice, peer, 0x4000, kControlSizes);
  CHECK(alice.refresh(600s) == 0);
  client::UdpSocket stranger(loopback(Family::ipv4));
  stranger.send_to(binding_request(), server.daemon.listener());
  CHECK(stranger.receive(10s));
  CHECK(alice.refresh(0s) == 0);
  CHECK(server.daemon.wait() == 0);
}

TEST_CASE("a drain ends when only as many allocations are left as it was told", "[integration][control]") {
  Controlled server;
  RelayClient alice = server.client();
  RelayClient bob = server.client("bob", "hunter2");
  RelayClient carol = server.client();
  for (RelayClient* client : {&alice, &bob, &carol}) REQUIRE(client->allocate() == 0);
  REQUIRE(server.control({"drain", "--until", "1", "--deadline", "1h"}).code == 0);
  CHECK(alice.refresh(0s) == 0);
  CHECK(server.control({"status"}).json().at("draining").as_bool());  // two are left
  CHECK(bob.refresh(0s) == 0);
  CHECK(server.daemon.wait() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("drained: 1 allocations are left\n"));
}

TEST_CASE("a reload reads the files of secrets again", "[integration][control]") {
  TemporaryFolder folder;
  const std::string file = folder / "secret";
  const auto hold = [&](const char* secret) { std::ofstream(file) << secret; };
  hold("the-first-secret-of-all");
  Controlled server({"auth={secrets: [{file: " + file + "}]}"});
  const auto client_with = [&](const std::string& secret) {
    const TemporaryFile config("auth: {secrets: [" + secret + "]}\n");
    Child child(
        {TURNPIKECTL, "--json", "credentials", "ann", "--host", "localhost", "--config", config.path()});
    REQUIRE(child.wait() == 0);
    const json::object minted = json::parse(child.output()).as_object();
    return server.client(std::string(minted.at("username").as_string()),
                         std::string(minted.at("password").as_string()));
  };
  RelayClient before = client_with("the-first-secret-of-all");
  REQUIRE(before.allocate() == 0);
  hold("another-secret-of-the-file");
  CHECK(client_with("another-secret-of-the-file").allocate() == 401);
  REQUIRE(server.control({"reload"}).code == 0);
  CHECK(client_with("another-secret-of-the-file").allocate() == 0);
  CHECK(client_with("the-first-secret-of-all").allocate() == 401);
  CHECK(before.refresh(600s) == 0);
  hold("");
  const CommandOutcome empty = server.control_plainly({"reload"});
  CHECK(empty.code == 1);
  CHECK_THAT(empty.text, Catch::Contains("auth.secrets[0]: file " + file + " is empty"));
  CHECK_THAT(server.daemon.log(), !Catch::Contains("secret-of"));
}

TEST_CASE("a later drain replaces the deadline of an earlier one", "[integration][control]") {
  Controlled server;
  RelayClient alice = server.client();
  REQUIRE(alice.allocate() == 0);
  REQUIRE(server.control({"drain", "--deadline", "1h"}).code == 0);
  // The daemon finds the signal and its own timer, which expires ten times a second, in the same pass.
  for (int i = 0; i < 5; ++i) {
    kill(server.daemon.pid(), SIGSTOP);
    std::this_thread::sleep_for(150ms);  // until the timer is due
    kill(server.daemon.pid(), SIGUSR1);
    kill(server.daemon.pid(), SIGCONT);
    REQUIRE(server.control({"status"}).code == 0);
  }
  REQUIRE(server.control({"drain", "--deadline", "1s"}).code == 0);
  CHECK(server.daemon.wait() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("at the deadline"));
}

TEST_CASE("a drain of a daemon that serves nobody is answered, and then over", "[integration][control]") {
  Controlled server;
  CHECK(server.control({"drain"}).code == 0);
  CHECK(server.daemon.wait() == 0);
}

TEST_CASE("a drain ends at its deadline, and at once with a second signal", "[integration][control]") {
  SECTION("deadline") {
    Controlled server({"shutdown={drain: 1s}"});
    RelayClient alice = server.client();
    REQUIRE(alice.allocate() == 0);
    CHECK(server.daemon.stop() == 0);
    CHECK_THAT(server.daemon.log(), Catch::Contains("at the deadline"));
  }
  SECTION("a drain on SIGTERM that is longer than the deadline") {
    Controlled server({"shutdown={drain: 1h, deadline: 1s}"});
    RelayClient alice = server.client();
    REQUIRE(alice.allocate() == 0);
    CHECK(server.daemon.stop() == 0);
    CHECK_THAT(server.daemon.log(), Catch::Contains("at the deadline"));
    CHECK_THAT(server.daemon.log(), Catch::Contains("shutdown.drain: is longer than shutdown.deadline"));
  }
  SECTION("SIGTERM during a drain of the operator's") {
    Controlled server({"shutdown={drain: 1h, deadline: 1h}"});
    RelayClient alice = server.client();
    REQUIRE(alice.allocate() == 0);
    REQUIRE(server.control({"drain", "--deadline", "40s"}).code == 0);
    REQUIRE(server.daemon.wait_for_log("the drain ends after 40 s"));
    const std::size_t before = server.daemon.log().size();
    kill(server.daemon.pid(), SIGTERM);
    REQUIRE(server.daemon.wait_for_log("draining: there are 1 allocations", before));
    CHECK(server.daemon.log().find("after 3600 s", before) == std::string::npos);
    CHECK(alice.refresh(600s) == 0);
    SECTION("ends with the last call") {
      CHECK(alice.refresh(0s) == 0);
      CHECK(server.daemon.wait() == 0);
      CHECK_THAT(server.daemon.log(), Catch::Contains("drained: 0 allocations"));
    }
    SECTION("a second one ends it at once") {
      CHECK(server.daemon.stop() == 0);
      CHECK_THAT(server.daemon.log(), Catch::Contains("stopping on SIGTERM"));
    }
  }
  SECTION("SIGTERM during a drain of the operator's that is longer than shutdown.drain") {
    Controlled server({"shutdown={drain: 1s}"});
    RelayClient alice = server.client();
    REQUIRE(alice.allocate() == 0);
    REQUIRE(server.control({"drain", "--deadline", "1h"}).code == 0);
    CHECK(server.daemon.stop() == 0);
    CHECK_THAT(server.daemon.log(), Catch::Contains("at the deadline"));
  }
  SECTION("second signal") {
    Controlled server;
    RelayClient alice = server.client();
    REQUIRE(alice.allocate() == 0);
    kill(server.daemon.pid(), SIGUSR1);
    REQUIRE(server.daemon.wait_for_log("draining"));
    CHECK(server.daemon.stop() == 0);
    CHECK_THAT(server.daemon.log(), !Catch::Contains("at the deadline"));
  }
}

TEST_CASE("turnpikectl reports when no daemon runs, or when there is nothing to do",
          "[integration][control]") {
  TemporaryFolder folder;
  Child child({TURNPIKECTL, "--socket", folder / "none.sock", "status"});
  CHECK(child.wait() == 2);
  CHECK_THAT(child.output(), Catch::Contains("cannot reach turnpike") &&
                                 Catch::Contains("No such file or directory: it does not run, or"));
  Child for_scripts({TURNPIKECTL, "--json", "--socket", folder / "none.sock", "status"});
  CHECK(for_scripts.wait() == 2);
  const json::object error = json::parse(for_scripts.output()).as_object().at("error").as_object();
  CHECK(error.at("code").as_string() == "unreachable");
  CHECK_THAT(std::string(error.at("message").as_string()), Catch::StartsWith("cannot reach turnpike"));
  Child nothing({TURNPIKECTL});
  CHECK(nothing.wait() == 1);
  Child misspelt({TURNPIKECTL, "stauts"});
  CHECK(misspelt.wait() == 1);
  CHECK_THAT(misspelt.output(), Catch::StartsWith("There is no command stauts\n"));
  Child unheard_of({TURNPIKECTL, "--sokket", "status"});
  CHECK(unheard_of.wait() == 1);
  CHECK_THAT(unheard_of.output(), Catch::Contains("--sokket"));
}

TEST_CASE("turnpikectl gives up a daemon that hangs, and says so", "[integration][control]") {
  Controlled server;
  REQUIRE(kill(server.daemon.pid(), SIGSTOP) == 0);
  const CommandOutcome outcome = server.control_plainly({"status"});
  REQUIRE(kill(server.daemon.pid(), SIGCONT) == 0);
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.text, Catch::Contains("has not answered within 10 seconds"));
  CHECK(server.control({"status"}).code == 0);
}

TEST_CASE("turnpikectl status says what was relayed, refused and dropped, and why",
          "[integration][control]") {
  Controlled server;
  const CommandOutcome calm = server.control_plainly({"status"});
  CHECK_THAT(calm.text, Catch::Contains(", ready, up ") && Catch::Contains("relayed 0 B to peers and 0 B") &&
                            !Catch::Contains("BECAUSE OF"));
  client::UdpSocket peer(loopback(Family::ipv4));
  RelayClient alice = server.client();
  REQUIRE(alice.allocate() == 0);
  REQUIRE(alice.bind(0x4000, peer.local()) == 0);
  expect_relaying(alice, peer, 0x4000, kControlSizes);
  for (int i = 0; i < 3; ++i) CHECK(alice.permit(*Endpoint::parse("10.0.0.1:9")) == 403);
  client::UdpSocket stranger(*Endpoint::parse("127.0.0.9:0"));
  stranger.send_to(octets("nobody let me"), alice.relayed());
  expect_relaying(alice, peer, 0x4000, kControlSizes);
  const CommandOutcome busy = server.control_plainly({"status"});
  CHECK_THAT(busy.text,
             Catch::Contains("relayed 2.5 kB to peers and 2.5 kB to clients") &&
                 Catch::Contains("REFUSED BECAUSE OF  TIMES\npeer_denied             3\n") &&
                 Catch::Contains("DROPPED BECAUSE OF       TIMES\npeer_without_permission      1\n"));
}

TEST_CASE("what turnpikectl itself refuses is JSON for scripts, too", "[integration][control]") {
  const TemporaryFile none("realm: example.org\nauth: {users: {ann: a-password}}\n");
  const TemporaryFile broken("realm: [\n");
  const auto error_of = [](const std::string& file) {
    Child child({TURNPIKECTL, "--json", "credentials", "ann", "--config", file});
    CHECK(child.wait() == 1);
    return json::parse(child.output()).as_object().at("error").as_object();
  };
  CHECK(error_of(none.path()).at("code").as_string() == "failed");
  CHECK_THAT(std::string(error_of(none.path()).at("message").as_string()), Catch::Contains("is empty"));
  CHECK(error_of(broken.path()).at("code").as_string() == "bad-configuration");
  CHECK(error_of("/no/such/file").at("code").as_string() == "bad-configuration");
}

TEST_CASE("credentials that turnpikectl makes are good at the relay", "[integration][control]") {
  Controlled server;
  const CommandOutcome outcome =
      server.control({"credentials", "ann", "--ttl", "10m", "--host", "turn.example.net", "--config",
                      server.daemon.config_file()});
  REQUIRE(outcome.code == 0);
  const json::object made = outcome.json();
  RelayClient ann = server.client(std::string(made.at("username").as_string()),
                                  std::string(made.at("password").as_string()));
  CHECK(ann.allocate() == 0);
  CHECK(made.at("iceServers").as_array().size() > 0);
  CHECK(server.control({"check", server.daemon.config_file()}).code == 0);
}

TEST_CASE("credentials have a name, a time, and the host of the configuration", "[integration][control]") {
  const CertificateFiles files(make_certificate("DNS:localhost,DNS:cert.example.org"));
  const TemporaryFile config("");
  const auto made = [&](const std::string& text, std::vector<std::string> arguments) {
    std::ofstream(config.path()) << "listen: [\"udp://0.0.0.0:3478\"]\n" << text;
    arguments.insert(arguments.begin(), {TURNPIKECTL, "--json", "credentials"});
    arguments.insert(arguments.end(), {"--config", config.path()});
    Child child(std::move(arguments));
    const int code = child.wait();
    return std::to_string(code) + ' ' + child.output();
  };
  const std::string secrets = "auth: {secrets: [north-star-secret]}\n";
  const std::string node =
      "cluster: {redis: \"redis://127.0.0.1:6379/0\", secret: a-secret-of-all-nodes, node: a.example.org}\n";
  const std::string tls =
      "tls: {certificate: " + files.certificate.path() + ", private_key: " + files.private_key.path() + "}\n";
  CHECK_THAT(made(secrets + node + tls, {"ann"}),
             Catch::StartsWith("0 {") && Catch::Contains("turn:a.example.org:3478"));
  CHECK_THAT(made(secrets + tls, {"ann"}),
             Catch::StartsWith("0 {") && Catch::Contains("turn:cert.example.org:3478"));
  CHECK_THAT(made(secrets + "relay: {advertise: [198.51.100.7, \"2001:db8::7\"]}\n", {"ann"}),
             Catch::StartsWith("0 {") && Catch::Contains("turn:198.51.100.7:3478"));
  CHECK_THAT(made(secrets + "relay: {addresses: [10.0.0.5], advertise: {10.0.0.5: 198.51.100.8}}\n", {"ann"}),
             Catch::StartsWith("0 {") && Catch::Contains("turn:198.51.100.8:3478"));
  CHECK_THAT(made(secrets, {"ann"}), Catch::StartsWith("0 ") && Catch::Contains("--host") &&
                                         Catch::Contains("turn:turn.example.org:3478"));
  CHECK_THAT(made(secrets, {"ann", "--host", "turn.example.net"}),
             Catch::StartsWith("0 {") && Catch::Contains("turn:turn.example.net:3478"));

  CHECK_THAT(made(secrets, {std::string(490, 'n'), "--host", "x.example"}), Catch::StartsWith("0 {"));
  CHECK_THAT(made(secrets, {std::string(491, 'n')}), Catch::StartsWith("1 ") && Catch::Contains("490"));
  CHECK_THAT(made(secrets, {""}), Catch::StartsWith("1 ") && Catch::Contains("490"));
  CHECK_THAT(made(secrets, {"ann", "--ttl", "0s"}), Catch::StartsWith("1 ") && Catch::Contains("1s or more"));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const json::object soon =
      json::parse(made(secrets, {"ann", "--ttl", "1ms", "--host", "x.example"}).substr(2)).as_object();
  const auto expires = std::stoll(std::string(soon.at("username").as_string()));
  CHECK(expires >= std::chrono::floor<std::chrono::seconds>(now).count() + 1);
}

TEST_CASE("a duration of half a second counts as one second, and plain text answers become JSON",
          "[integration][control]") {
  Controlled server;
  RelayClient alice = server.client();
  REQUIRE(alice.allocate() == 0);
  const CommandOutcome nobody = server.control({"kill", ""});
  CHECK(nobody.code == 1);
  CHECK(nobody.json().at("error").at("code").as_string() == "no-such-allocation");
  const CommandOutcome too_much = server.control({"kill", "--user", std::string(100'000, 'x')});
  CHECK(too_much.code == 1);
  CHECK(too_much.json().at("error").at("code").as_string() == "http-413");
  REQUIRE(server.control({"drain", "--deadline", "500ms"}).code == 0);
  CHECK(server.daemon.wait_for_log("the drain ends after 1 s"));
}

// These names have an effect on a terminal when they are printed unchanged. The second text is how they must
// be shown.
constexpr struct {
  const char* name;
  const char* shown;
} kHostileNames[] = {
    {"\x1b[2J\x1b]0;title\x07", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"},
    {"two\nlines\r", "two\\u{a}lines\\u{d}"},
    {"\xc2\x9b", "\\u{9b}"},
    {"\x9b", "\\x9b"},
    {"\u202eevil\u2066\u200f\u061c\u2028", "\\u{202e}evil\\u{2066}\\u{200f}\\u{61c}\\u{2028}"},
    {"\xff\xfe", "\\xff\\xfe"},
};

// Returns whether a terminal shows each line without obeying it.
bool is_harmless_output(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (printable(line) != line) return false;
  }
  return true;
}

TEST_CASE("names of strangers do nothing to an operator's terminal", "[integration][control]") {
  Controlled server;
  crypto::Digester digester;
  const WallTime expires(
      std::chrono::duration_cast<Duration>((std::chrono::system_clock::now() + 1h).time_since_epoch()));
  for (const auto& [name, shown] : kHostileNames) {
    INFO(shown);
    const bool is_text = is_utf8(name);
    const client::Credentials made = client::rest_credentials(digester, "north-star-secret", name, expires);
    RelayClient stranger = server.client(made.username, made.password);
    REQUIRE(stranger.allocate() == 0);

    const CommandOutcome list = server.control_plainly({"allocations"});
    CHECK(list.code == 0);
    CHECK_THAT(list.text, Catch::Contains(':' + std::string(shown) + "  "));
    CHECK(count(list.text, "\n") == 3);
    const json::array by_name = allocations(server, {"--user", made.username});
    REQUIRE(by_name.size() == 1);
    const std::string user(by_name.front().at("user").as_string());
    CHECK((user == made.username) == is_text);
    CHECK(user.ends_with(is_text ? name : shown));

    const CommandOutcome made_again =
        server.control_plainly({"credentials", name, "--config", server.daemon.config_file()});
    CHECK(made_again.code == 0);
    CHECK_THAT(made_again.text, Catch::Contains(':' + std::string(shown) + '\n'));

    // Users with names that JSON cannot contain are ended by the ids of their allocations.
    const CommandOutcome ended =
        is_text ? server.control_plainly({"kill", "--user", made.username})
                : server.control_plainly({"kill", std::string(by_name.front().at("id").as_string())});
    CHECK(ended.code == 0);
    if (is_text) CHECK_THAT(ended.text, Catch::Contains(std::string(shown) + " have ended\n"));
    CHECK(server.control_plainly({"kill", "--user", "\xff"}).code == 1);
    CHECK(server.control({"kill", "--user", "\xff"}).json().contains("error"));
    REQUIRE(server.daemon.wait_for_log("allocation deleted client=" + stranger.local().to_string()));

    const CommandOutcome unknown = server.control_plainly({"kill", "--", name});
    CHECK(unknown.code == 1);
    const CommandOutcome mistaken = server.control_plainly({"loglevel", name});
    CHECK(mistaken.code == 1);
    CHECK_THAT(mistaken.text, Catch::Contains(shown));
    for (const CommandOutcome& each : {list, made_again, ended, unknown, mistaken})
      CHECK(is_harmless_output(each.text));
    CHECK(is_harmless_output(server.control({"allocations"}).text));
  }
  CHECK(server.daemon.stop() == 0);  // the log is whole then
  CHECK(is_harmless_output(server.daemon.log()));
}

TEST_CASE("texts of a file do nothing to an operator's terminal", "[integration][control]") {
  Controlled server;
  for (const char* text : {
           "\"\\e[2J\": 1\n",                            // a key
           "realm: [\"\\N\\L\\u202e\"]\n",               // a value that is refused
           "auth: {users: {\"\\e[2J\\u202e\": [1]}}\n",  // a name within a path
           "realm: \x9b\n",                              // no UTF-8
           "realm: \x1b[2J\n",                           // nothing that YAML has
           "limits: {allocations: \"1\\n2\"}\n",
       }) {
    INFO(text);
    server.write_config(text);
    const std::string file = server.daemon.config_file();
    for (const auto& command :
         {std::vector<std::string>{"reload"}, {"check", file}, {"credentials", "ann", "--config", file}}) {
      const CommandOutcome outcome = server.control_plainly(command);
      CHECK(outcome.code == 1);
      CHECK(is_harmless_output(outcome.text));
      if (command.front() == "credentials") continue;
      const CommandOutcome as_json = server.control(command);
      CHECK(as_json.code == 1);
      CHECK_FALSE(as_json.json().at("ok").as_bool());
      CHECK(is_harmless_output(as_json.text));
    }
  }
  const CommandOutcome nowhere = server.control_plainly({"check", "/nowhere/\x1b[2J"});
  CHECK(nowhere.code == 1);
  CHECK_THAT(nowhere.text, Catch::Contains("/nowhere/\\u{1b}[2J"));
  CHECK(is_harmless_output(nowhere.text));
  CHECK(server.daemon.stop() == 0);  // the log is whole then
  CHECK(is_harmless_output(server.daemon.log()));
}

TEST_CASE("a reload a hundred times beside a call loses nothing", "[integration][control]") {
  Controlled server;
  client::UdpSocket peer(loopback(Family::ipv4));
  RelayClient alice = server.client();
  REQUIRE(alice.allocate() == 0);
  REQUIRE(alice.bind(0x4000, peer.local()) == 0);
  for (int i = 0; i < 100; ++i) {
    const std::size_t before = server.daemon.log().size();
    kill(server.daemon.pid(), SIGHUP);
    expect_relaying(alice, peer, 0x4000, kControlSizes);
    REQUIRE(server.daemon.wait_for_log("reloaded", before));
  }
  CHECK(alice.refresh(600s) == 0);
}

TEST_CASE("a restart that is due is not forgotten by the next reload", "[integration][control]") {
  const std::string start = "realm: example.org\nlisten: [\"udp://127.0.0.1:0\"]\nworkers: 1\n";
  Controlled server({}, start);
  const auto dry_run = [&] {
    const CommandOutcome outcome = server.control({"reload", "--dry-run"});
    REQUIRE(outcome.code == 0);
    return outcome.json().at("needs_restart").as_array();
  };
  server.write_config("realm: example.org\nlisten: [\"udp://127.0.0.1:0\"]\nworkers: 2\n");
  CHECK(dry_run().size() == 1);
  CHECK(server.control({"reload"}).json().at("needs_restart").as_array().size() == 1);
  REQUIRE(dry_run().size() == 1);
  CHECK(dry_run()[0] == "workers: 1 -> 2");
  server.write_config(start);
  CHECK(dry_run().empty());
}

TEST_CASE("turnpikectl check finds what keeps a daemon from starting", "[integration][control]") {
  const CertificateFiles files;
  const TemporaryFile other(make_certificate().private_key);
  const auto check = [](const std::string& certificate, const std::string& key) {
    const TemporaryFile config("listen: [\"tls://127.0.0.1:0\"]\ntls: {certificate: " + certificate +
                               ", private_key: " + key + "}\n");
    Child child({TURNPIKECTL, "check", config.path()});
    const int code = child.wait();
    return std::to_string(code) + ' ' + child.output();
  };
  CHECK_THAT(check(files.certificate.path(), files.private_key.path()), Catch::Contains("is valid"));
  CHECK_THAT(check(files.certificate.path(), other.path()),
             Catch::StartsWith("1 ") && Catch::Contains("key values mismatch"));
}

TEST_CASE("turnpikectl check says all faults, by line", "[integration][control]") {
  const CertificateFiles files;
  const TemporaryFile other(make_certificate().private_key);
  const std::string of_use =
      "auth: {users: {\"a\\u00adb\": secret}}\ntls:\n  certificate: " + files.certificate.path() +
      "\n  private_key: " + other.path() + "\n";
  for (const std::string more : {"", "limits: {allocations: none}\n"}) {
    const TemporaryFile config(of_use + more);
    const std::string at = config.path() + ':';
    Child child({TURNPIKECTL, "check", config.path()});
    CHECK(child.wait() == 1);
    const std::string said = child.output();
    CHECK_THAT(said, Catch::StartsWith(at + "1: auth.users: ") &&
                         Catch::Contains('\n' + at + "4: tls.private_key: "));
    if (!more.empty()) CHECK_THAT(said, Catch::Contains("mismatch\n" + at + "5: limits.allocations: "));
  }
}

TEST_CASE("both checks warn of a certificate that has expired, with its place", "[integration][control]") {
  constexpr long kHour = 60 * 60;
  const Certificate old = make_certificate("DNS:turn.example.org", "a", {-2 * kHour, -kHour});
  const TemporaryFile certificate(old.certificate);
  const TemporaryFile key(old.private_key);
  const TemporaryFile config("tls:\n  certificate: " + certificate.path() + "\n  private_key: " + key.path() +
                             "\n");
  const std::vector<std::string> commands[] = {{TURNPIKECTL, "check", config.path()},
                                               {daemon_path(), "--check", "--config", config.path()}};
  for (const std::vector<std::string>& command : commands) {
    Child child(command);
    CHECK(child.wait() == 0);
    CHECK_THAT(child.output(),
               Catch::Contains("warning: " + config.path() + ":2: tls.certificate: " + certificate.path() +
                               " for turn.example.org: has expired at 20"));
  }
}

TEST_CASE("signaling goes on when a reload takes the last secret away", "[integration][control]") {
  const std::string users = "realm: example.org\nauth: {users: {alice: secret}";
  Controlled server(
      {"signaling={listen: 'http://127.0.0.1:0', access: open}", "listen=[\"udp://127.0.0.1:0\"]"},
      users + ", secrets: [north-star-secret]}\n");
  server.write_config(users + "}\n");
  REQUIRE(server.control({"reload"}).code == 0);
  CHECK(server.control({"status"}).code == 0);
  CHECK(server.daemon.stop() == 0);
}

}  // namespace
}  // namespace turnpike::test
