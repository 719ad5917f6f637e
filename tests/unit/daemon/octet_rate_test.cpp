#include "daemon/octet_rate.hpp"

#include <catch2/catch.hpp>

using namespace turnpike::daemon;
using namespace std::chrono_literals;

namespace {
constexpr OctetRate::TimePoint kBegin{100s};
}

TEST_CASE("a rate is that between two counts", "[daemon]") {
  OctetRate rate(kBegin);
  CHECK(rate.count(3000, kBegin + 2s) == 2s);
  CHECK(rate.per_second() == 1500);
  CHECK(rate.count(3000, kBegin + 12s) == 10s);
  CHECK(rate.per_second() == 0);
}

// What has arrived while the daemon started is counted at the first beat, a few microseconds after the
// beginning.
TEST_CASE("a moment makes no rate of its own, and its octets are in the next", "[daemon]") {
  OctetRate rate(kBegin);
  CHECK_FALSE(rate.count(500, kBegin));
  CHECK_FALSE(rate.count(1000, kBegin + 50us));
  CHECK(rate.per_second() == 0);
  CHECK(rate.count(8000, kBegin + 8s) == 8s);
  CHECK(rate.per_second() == 1000);
  CHECK_FALSE(rate.count(80000, kBegin + 8500ms));
  CHECK(rate.per_second() == 1000);
}
