// Tests libnice, an ICE implementation of another project, with the relay as its only path.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "support/daemon.hpp"

using namespace turnpike;
using namespace turnpike::test;

namespace {

// Returns an empty path when libnice was not found at build time: a skip on a newcomer's machine, and a
// failure in CI.
std::string libnice_relay() {
#ifdef TURNPIKE_LIBNICE_RELAY
  return TURNPIKE_LIBNICE_RELAY;
#else
  if (std::getenv("CI")) FAIL("libnice was not found (Debian: libnice-dev)");
  WARN("skipped: libnice was not found (Debian: libnice-dev)");
  return "";
#endif
}

}  // namespace

TEST_CASE("libnice's agents connect by the relay alone", "[integration][libnice]") {
  const std::string program = libnice_relay();
  if (program.empty()) return;
  Daemon daemon({R"(listen=["udp://127.0.0.1:0", "tcp://127.0.0.1:0"])"});
  for (const std::size_t listener : {0, 1}) {
    const std::string way = listener == 0 ? "udp" : "tcp";
    CAPTURE(way);
    Child child({program, std::to_string(daemon.listener(listener).port), way});
    const int exit_code = child.wait();
    INFO(child.output());
    CHECK(exit_code == 0);
    CHECK_THAT(child.output(), Catch::Contains("all arrived"));
  }
  REQUIRE(daemon.stop() == 0);
  CHECK_THAT(daemon.log(), Catch::Contains(" allocations=4 "));
}
