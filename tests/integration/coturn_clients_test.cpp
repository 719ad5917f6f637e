// Tests clients of another project: those of Debian's coturn package, with no loss.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <regex>

#include "support/daemon.hpp"
#include "support/quiet_port.hpp"
#include "support/relay_client.hpp"
#include "support/tls_daemon.hpp"

using namespace turnpike;
using namespace turnpike::test;

namespace {

bool has_coturn() { return has_tool("turnutils_uclient", "coturn"); }

// turnutils_peer echoes what it receives, on a port and the next one.
class EchoPeer {
 public:
  explicit EchoPeer(Family family)
      : at_{loopback(family).address, quiet_port(loopback(family).address, 2)},
        child_({"turnutils_peer", "-L", at_.address.to_string(), "-p", std::to_string(at_.port)}) {
    for (const int above : {0, 1}) {
      // The program does not report when it is ready, so a probe waits until it echoes.
      client::UdpSocket probe(loopback(family));
      const Endpoint port{at_.address, static_cast<std::uint16_t>(at_.port + above)};
      bool echoed = false;
      for (int tries = 0; !echoed && tries < 200; ++tries) {
        probe.send_to(octets("anybody?"), port);
        echoed = probe.receive(std::chrono::milliseconds(50)).has_value();
      }
      if (!echoed) throw std::runtime_error("turnutils_peer does not echo: " + child_.output());
    }
  }

  const Endpoint& at() const { return at_; }

 private:
  const Endpoint at_;
  Child child_;
};

// A client that sends to this peer, or to another one of its own kind where an option says so.
std::vector<std::string> uclient(const Endpoint& server, const Endpoint& peer,
                                 const std::vector<std::string>& options) {
  std::vector<std::string> command{"turnutils_uclient",
                                   "-u",
                                   "alice",
                                   "-w",
                                   "secret",
                                   "-n",
                                   "40",
                                   "-m",
                                   "4",
                                   "-z",
                                   "5",
                                   "-e",
                                   peer.address.to_string(),
                                   "-r",
                                   std::to_string(peer.port),
                                   "-p",
                                   std::to_string(server.port)};
  command.insert(command.end(), options.begin(), options.end());
  command.push_back(server.address.to_string());
  return command;
}

// For clients that send to one another.
const Endpoint kNobody = at("127.0.0.1", 3480);

// Each run takes six seconds, in which turnutils_uclient mostly waits, so all runs of a test go at the same
// time.
class Runs {
 public:
  void start(std::string name, const std::vector<std::string>& command) {
    runs_.push_back({std::move(name), std::make_unique<Child>(command)});
  }
  void expect_nothing_lost() {
    for (const auto& [name, child] : runs_) {
      const int exit_code = child->wait();
      INFO(name << ": " << child->output());
      CHECK(exit_code == 0);
      CHECK_THAT(child->output(), Catch::Contains("Total lost packets 0 (0.000000%)"));
    }
    runs_.clear();
  }

 private:
  struct Run {
    std::string name;
    std::unique_ptr<Child> child;
  };
  std::vector<Run> runs_;
};

}  // namespace

TEST_CASE("turnutils_stunclient finds its address", "[integration][coturn]") {
  if (!has_coturn()) return;
  Daemon daemon;
  for (const std::size_t listener : {0, 1}) {
    const Endpoint server = daemon.listener(listener);
    Child child({"turnutils_stunclient", "-p", std::to_string(server.port), server.address.to_string()});
    CHECK(child.wait() == 0);
    CHECK_THAT(child.output(),
               Catch::Contains("UDP reflexive addr: " + std::string(listener == 0 ? "127.0.0.1" : "")));
  }
}

TEST_CASE("turnutils_uclient loses nothing", "[integration][coturn]") {
  if (!has_coturn()) return;
  Daemon daemon;
  const EchoPeer v4_peer(Family::ipv4);
  const EchoPeer v6_peer(Family::ipv6);
  const Endpoint v4 = daemon.listener(0);
  const Endpoint v6 = daemon.listener(1);

  Runs runs;
  runs.start("channels", uclient(v4, v4_peer.at(), {}));
  runs.start("Send indications", uclient(v4, v4_peer.at(), {"-s"}));
  runs.start("TURN REST secret", uclient(v4, v4_peer.at(), {"-W", "north-star-secret"}));
  runs.start("DONT-FRAGMENT", uclient(v4, v4_peer.at(), {"-g"}));
  runs.start("IPv6", uclient(v6, v6_peer.at(), {"-x"}));
  runs.start("IPv6, Send indications", uclient(v6, v6_peer.at(), {"-x", "-s"}));
  runs.start("IPv4 client, IPv6 peer", uclient(v4, v6_peer.at(), {"-x"}));
  runs.start("IPv6 client, IPv4 peer", uclient(v6, v4_peer.at(), {}));
  runs.start("dual allocation", uclient(v4, v4_peer.at(), {"-Z"}));
  runs.start("client to client, even-port pairs with reserved neighbours", uclient(v4, v4_peer.at(), {"-y"}));
  runs.start("without the RTCP neighbour", uclient(v4, v4_peer.at(), {"-c"}));
  runs.expect_nothing_lost();
}

// By TLS, the client itself ends the connection (4.6.1, with coturn's server too).
TEST_CASE("turnutils_uclient moves its allocations and loses nothing", "[integration][coturn]") {
  if (!has_coturn()) return;
  Daemon daemon({R"(listen=["udp://127.0.0.1:0", "tcp://127.0.0.1:0"])", "workers=4", "relay.mobility=true"});
  const EchoPeer v4_peer(Family::ipv4);
  Runs runs;
  runs.start("UDP", uclient(daemon.listener(0), v4_peer.at(), {"-M"}));
  runs.start("UDP, Send indications", uclient(daemon.listener(0), v4_peer.at(), {"-M", "-s"}));
  runs.start("TCP", uclient(daemon.listener(1), v4_peer.at(), {"-M", "-t"}));
  runs.expect_nothing_lost();
  CHECK(daemon.wait_for_log("allocation moved"));
}

// The client talks to another one of its kind, since turnutils_peer has no TCP. The passive side (-P) counts
// what it sent without a partner as lost, half of everything, with coturn's own server as well. From an
// answer on a data connection it reads no more than the length of one of its messages. With 100 bytes, its
// default, it would cut off a challenge and give up the connection.
TEST_CASE("turnutils_uclient loses nothing through TCP relayed addresses", "[integration][coturn]") {
  if (!has_coturn()) return;
  const CertificateFiles files;
  Daemon daemon({R"(listen=["tcp://127.0.0.1:0", "tls://127.0.0.1:0"])", "relay.tcp=true",
                 "tls.certificate=" + files.certificate.path(),
                 "tls.private_key=" + files.private_key.path()});

  Runs runs;
  runs.start("TCP", uclient(daemon.listener(0), kNobody, {"-T", "-y", "-l", "160"}));
  runs.start("TLS", uclient(daemon.listener(1), kNobody, {"-T", "-S", "-y", "-l", "160"}));
  runs.expect_nothing_lost();
  SECTION("peers that connect") {
    Child child(uclient(daemon.listener(0), kNobody, {"-T", "-P", "-y", "-l", "160"}));
    const int exit_code = child.wait();
    INFO(child.output());
    CHECK(exit_code == 0);
    CHECK_THAT(child.output(), Catch::Contains("tot_send_msgs=160, tot_recv_msgs=80"));
  }
}

namespace {

// These keys are built into turnutils_uclient -J. A line feed follows each, so only their first 32 or 16
// octets count. The client chooses one of them for each Allocate and each Refresh.
constexpr const char* kThirdParty =
    "auth.third_party={server_name: turn.example.org, keys: ["
    "{kid: north, key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK, algorithm: A256GCM}, "
    "{kid: union, key: MTIzNDU2Nzg5MDEyMzQ1Ngo=, algorithm: A128GCM}, "
    "{kid: oldempire, key: MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIK, algorithm: A256GCM}]}";

}  // namespace

TEST_CASE("turnutils_uclient loses nothing with access tokens", "[integration][coturn]") {
  if (!has_coturn()) return;
  const bool tcp = GENERATE(false, true);
  Daemon daemon({kThirdParty, "auth.users={}", "auth.secrets=[]",
                 tcp ? R"(listen=["tcp://127.0.0.1:0"])" : R"(listen=["udp://127.0.0.1:0"])",
                 tcp ? "relay.tcp=true" : "relay.tcp=false"});
  const EchoPeer v4_peer(Family::ipv4);
  const Endpoint server = daemon.listener();
  Runs runs;
  if (tcp) {
    runs.start("TCP", uclient(server, v4_peer.at(), {"-J", "-t"}));
    runs.start("TCP relayed addresses", uclient(server, v4_peer.at(), {"-J", "-T", "-y", "-l", "160"}));
  } else {
    runs.start("channels", uclient(server, v4_peer.at(), {"-J"}));
    runs.start("Send indications", uclient(server, v4_peer.at(), {"-J", "-s", "-m", "8"}));
    runs.start("client to client", uclient(server, v4_peer.at(), {"-J", "-y"}));
    runs.start("dual allocation", uclient(server, v4_peer.at(), {"-J", "-Z"}));
  }
  runs.expect_nothing_lost();
  for (const std::string kid : {"north", "union", "oldempire"}) {
    if (!tcp) CHECK(daemon.wait_for_log("user=\"" + kid + "\""));
  }
  CHECK(daemon.log().find("0123456789") == std::string::npos);
}

TEST_CASE("turnutils_uclient with a key that the server does not have is refused", "[integration][coturn]") {
  if (!has_coturn()) return;
  Daemon daemon(
      {"auth.third_party={server_name: turn.example.org, keys: [{kid: north, key: "
       "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIK}]}"});
  Child child(uclient(daemon.listener(), kNobody, {"-J", "-n", "1", "-m", "1"}));
  CHECK(child.wait() != 0);
  CHECK(daemon.wait_for_log("error=401"));
  CHECK(daemon.log().find("allocation created") == std::string::npos);
}

TEST_CASE("turnutils_uclient goes where it is sent", "[integration][coturn]") {
  if (!has_coturn()) return;
  Daemon second;
  const EchoPeer v4_peer(Family::ipv4);
  const std::string other = "relay.alternate_servers=[\"udp://" + second.listener().to_string() + "\"]";

  SECTION("always") {
    Daemon first({other, "relay.redirect=always"});
    Runs runs;
    runs.start("redirected", uclient(first.listener(), v4_peer.at(), {}));
    runs.expect_nothing_lost();
    CHECK(first.wait_for_log("error=300 Try Alternate"));
    CHECK(first.log().find("allocation created") == std::string::npos);
    CHECK(second.wait_for_log("allocation created"));
  }
  SECTION("when the first is full") {
    Daemon first({other, "limits.allocations=1"});
    RelayClient holder(first.listener());
    REQUIRE(holder.allocate() == 0);
    Runs runs;
    runs.start("redirected", uclient(first.listener(), v4_peer.at(), {}));
    runs.expect_nothing_lost();
    CHECK(first.wait_for_log("error=300 Try Alternate"));
    CHECK(second.wait_for_log("allocation created"));
  }
}

TEST_CASE("turnutils_uclient loses nothing by TCP and TLS", "[integration][coturn]") {
  if (!has_coturn()) return;
  const CertificateFiles files;
  Daemon daemon({R"(listen=["tcp://127.0.0.1:0", "tcp://[::1]:0", "tls://127.0.0.1:0", "tls://[::1]:0"])",
                 "tls.certificate=" + files.certificate.path(),
                 "tls.private_key=" + files.private_key.path()});
  const EchoPeer v4_peer(Family::ipv4);
  const EchoPeer v6_peer(Family::ipv6);

  Runs runs;
  runs.start("TCP", uclient(daemon.listener(0), v4_peer.at(), {"-t"}));
  runs.start("TCP, Send indications", uclient(daemon.listener(0), v4_peer.at(), {"-t", "-s"}));
  runs.start("TCP, IPv6", uclient(daemon.listener(1), v6_peer.at(), {"-t", "-x"}));
  runs.start("TCP, client to client", uclient(daemon.listener(0), v4_peer.at(), {"-t", "-y"}));
  runs.start("TLS", uclient(daemon.listener(2), v4_peer.at(), {"-t", "-S"}));
  runs.start("TLS, Send indications", uclient(daemon.listener(2), v4_peer.at(), {"-t", "-S", "-s"}));
  runs.start("TLS, IPv6", uclient(daemon.listener(3), v6_peer.at(), {"-t", "-S", "-x"}));
  runs.start("TLS, faster than it reads",
             uclient(daemon.listener(2), v4_peer.at(), {"-t", "-S", "-z", "1", "-n", "200"}));
  runs.expect_nothing_lost();
}

TEST_CASE("turnutils_uclient loses nothing by DTLS", "[integration][coturn][dtls]") {
  if (!has_coturn()) return;
  const CertificateFiles files;
  Daemon daemon({R"(listen=["dtls://127.0.0.1:0", "dtls://[::1]:0"])",
                 "tls.certificate=" + files.certificate.path(),
                 "tls.private_key=" + files.private_key.path()});
  const EchoPeer v4_peer(Family::ipv4);
  const EchoPeer v6_peer(Family::ipv6);

  Runs runs;
  runs.start("channels", uclient(daemon.listener(0), v4_peer.at(), {"-S"}));
  runs.start("Send indications", uclient(daemon.listener(0), v4_peer.at(), {"-S", "-s"}));
  runs.start("DONT-FRAGMENT", uclient(daemon.listener(0), v4_peer.at(), {"-S", "-g"}));
  runs.start("Send indications with DONT-FRAGMENT",
             uclient(daemon.listener(0), v4_peer.at(), {"-S", "-g", "-s"}));
  runs.start("client to client", uclient(daemon.listener(0), v4_peer.at(), {"-S", "-y"}));
  runs.start("IPv6", uclient(daemon.listener(1), v6_peer.at(), {"-S", "-x"}));
  runs.start("faster", uclient(daemon.listener(0), v4_peer.at(), {"-S", "-z", "1", "-n", "200"}));
  runs.expect_nothing_lost();
}
