// Clients that nobody here wrote: the ones of Debian's coturn package, with nothing lost.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <regex>

#include "support/certificate.hpp"
#include "support/daemon.hpp"
#include "support/relay_client.hpp"

using namespace turnpike;
using namespace turnpike::test;

namespace {

// A missing tool is a skip on a newcomer's machine and a failure in CI.
bool has_coturn() {
  if (has_program("turnutils_uclient")) return true;
  if (std::getenv("CI")) FAIL("turnutils_uclient is not installed (Debian: coturn)");
  WARN("skipped: turnutils_uclient is not installed (Debian: coturn)");
  return false;
}

// turnutils_peer echoes what comes to it, on a port and the one above.
class EchoPeer {
 public:
  explicit EchoPeer(const std::string& address) : child_({"turnutils_peer", "-L", address, "-p", "3480"}) {
    const IpAddress ip = *IpAddress::parse(address);
    for (const std::uint16_t port : {3480, 3481}) {
      // It does not say when it is up: it is once it echoes.
      client::UdpSocket probe(loopback(ip.family()));
      bool echoed = false;
      for (int tries = 0; !echoed && tries < 200; ++tries) {
        probe.send_to(octets("anybody?"), {ip, port});
        echoed = probe.receive(std::chrono::milliseconds(50)).has_value();
      }
      if (!echoed) throw std::runtime_error("turnutils_peer does not echo: " + child_.output());
    }
  }

 private:
  Child child_;
};

std::vector<std::string> uclient(const Endpoint& server, const std::string& peer,
                                 std::vector<std::string> options) {
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
                                   peer,
                                   "-p",
                                   std::to_string(server.port)};
  command.insert(command.end(), options.begin(), options.end());
  command.push_back(server.address.to_string());
  return command;
}

void expect_nothing_lost(const std::vector<std::string>& command) {
  Child child(command);
  const int exit_code = child.wait();
  INFO(child.output());
  CHECK(exit_code == 0);
  CHECK_THAT(child.output(), Catch::Contains("Total lost packets 0 (0.000000%)"));
}

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
  const EchoPeer echo_v4("127.0.0.1");
  const EchoPeer echo_v6("::1");
  const Endpoint v4 = daemon.listener(0);
  const Endpoint v6 = daemon.listener(1);

  SECTION("channels") { expect_nothing_lost(uclient(v4, "127.0.0.1", {})); }
  SECTION("Send indications") { expect_nothing_lost(uclient(v4, "127.0.0.1", {"-s"})); }
  SECTION("TURN REST secret") { expect_nothing_lost(uclient(v4, "127.0.0.1", {"-W", "north"})); }
  SECTION("DONT-FRAGMENT") { expect_nothing_lost(uclient(v4, "127.0.0.1", {"-g"})); }
  SECTION("IPv6") { expect_nothing_lost(uclient(v6, "::1", {"-x"})); }
  SECTION("IPv6, Send indications") { expect_nothing_lost(uclient(v6, "::1", {"-x", "-s"})); }
  SECTION("IPv4 client, IPv6 peer") { expect_nothing_lost(uclient(v4, "::1", {"-x"})); }
  SECTION("IPv6 client, IPv4 peer") { expect_nothing_lost(uclient(v6, "127.0.0.1", {})); }
  SECTION("dual allocation") { expect_nothing_lost(uclient(v4, "127.0.0.1", {"-Z"})); }
  SECTION("client to client, even-port pairs with reserved neighbours") {
    expect_nothing_lost(uclient(v4, "127.0.0.1", {"-y"}));
  }
  SECTION("without the RTCP neighbour") { expect_nothing_lost(uclient(v4, "127.0.0.1", {"-c"})); }
}

TEST_CASE("turnutils_uclient loses nothing by TCP and TLS", "[integration][coturn]") {
  if (!has_coturn()) return;
  const Certificate pem = make_certificate();
  const TemporaryFile certificate(pem.certificate);
  const TemporaryFile key(pem.private_key);
  Daemon daemon({R"(listen=["tcp://127.0.0.1:0", "tcp://[::1]:0", "tls://127.0.0.1:0", "tls://[::1]:0"])",
                 "tls.certificate=" + certificate.path(), "tls.private_key=" + key.path()});
  const EchoPeer echo_v4("127.0.0.1");
  const EchoPeer echo_v6("::1");

  SECTION("TCP") { expect_nothing_lost(uclient(daemon.listener(0), "127.0.0.1", {"-t"})); }
  SECTION("TCP, Send indications") {
    expect_nothing_lost(uclient(daemon.listener(0), "127.0.0.1", {"-t", "-s"}));
  }
  SECTION("TCP, IPv6") { expect_nothing_lost(uclient(daemon.listener(1), "::1", {"-t", "-x"})); }
  SECTION("TCP, client to client") {
    expect_nothing_lost(uclient(daemon.listener(0), "127.0.0.1", {"-t", "-y"}));
  }
  SECTION("TLS") { expect_nothing_lost(uclient(daemon.listener(2), "127.0.0.1", {"-t", "-S"})); }
  SECTION("TLS, Send indications") {
    expect_nothing_lost(uclient(daemon.listener(2), "127.0.0.1", {"-t", "-S", "-s"}));
  }
  SECTION("TLS, IPv6") { expect_nothing_lost(uclient(daemon.listener(3), "::1", {"-t", "-S", "-x"})); }
  SECTION("TLS, faster than it reads") {
    expect_nothing_lost(uclient(daemon.listener(2), "127.0.0.1", {"-t", "-S", "-z", "1", "-n", "200"}));
  }
}
