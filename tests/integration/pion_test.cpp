// Pion, the WebRTC implementation that most native clients use, with nothing but the relay to connect by:
// over each transport, and with the server named by its name and by its address. And its TURN client alone.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "support/daemon.hpp"
#include "support/tls_daemon.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

// Returns an empty path when Pion was not found at build time: a skip on a newcomer's machine, and a failure
// in CI.
std::string pion_relay() {
#ifdef TURNPIKE_PION_RELAY
  return TURNPIKE_PION_RELAY;
#else
  if (std::getenv("CI")) FAIL("Pion was not found (Debian: golang-go golang-github-pion-webrtc.v3-dev)");
  WARN("skipped: Pion was not found (Debian: golang-go golang-github-pion-webrtc.v3-dev)");
  return "";
#endif
}

struct UrlKind {
  const char* scheme;
  const char* transport;
};
// They are in the order of the daemon's listeners.
constexpr UrlKind kUrlKinds[] = {{"turn", "udp"}, {"turn", "tcp"}, {"turns", "tcp"}, {"turns", "udp"}};

}  // namespace

TEST_CASE("Pion's client outlives a peer that refuses", "[integration][pion]") {
  const std::string program = pion_relay();
  if (program.empty()) return;
  Daemon daemon;
  Child child({program, "refused", daemon.listener().to_string()});
  const int exit_code = child.wait(60s);
  INFO(child.output());
  CHECK(exit_code == 0);
  CHECK_THAT(child.output(), Catch::Contains("heard the peer to the end"));
}

TEST_CASE("Pion's peers connect by the relay alone", "[integration][pion]") {
  const std::string program = pion_relay();
  if (program.empty()) return;
  const CertificateFiles files;
  Daemon daemon(
      {R"(listen=["udp://127.0.0.1:0", "tcp://127.0.0.1:0", "tls://127.0.0.1:0", "dtls://127.0.0.1:0"])",
       "tls.certificate=" + files.certificate.path(), "tls.private_key=" + files.private_key.path()});
  for (std::size_t i = 0; i < std::size(kUrlKinds); ++i) {
    for (const std::string host : {"127.0.0.1", "localhost"}) {
      const std::string url = std::string(kUrlKinds[i].scheme) + ":" + host + ":" +
                              std::to_string(daemon.listener(i).port) +
                              "?transport=" + kUrlKinds[i].transport;
      CAPTURE(url);
      Child child({program, url}, {.environment = {{"SSL_CERT_FILE", files.certificate.path()}}});
      const int exit_code = child.wait(240s);
      INFO(child.output());
      CHECK(exit_code == 0);
      CHECK_THAT(child.output(), Catch::Contains("all arrived"));
    }
  }
  REQUIRE(daemon.stop() == 0);
  CHECK_THAT(daemon.log(), Catch::Contains(" allocations=16 "));
}
