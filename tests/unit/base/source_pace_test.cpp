#include "turnpike/base/source_pace.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

namespace turnpike {
namespace {

using namespace std::chrono_literals;

constexpr HashKey kKey{1, 2};

struct Pace {
  SourcePace pace{1000, 2s, kKey};
  test::ManualClock clock;

  void charge(std::string_view source, std::uint64_t cost) {
    pace.charge(*IpAddress::parse(source), cost, clock.now().steady);
  }
  Duration rest_time(std::string_view source) const {
    return pace.rest_time(*IpAddress::parse(source), clock.now().steady);
  }
};

TEST_CASE("a source rests once it has cost more than the burst, until that is paid for", "[base]") {
  Pace p;
  CHECK(p.rest_time("192.0.2.1") == 0ms);
  p.charge("192.0.2.1", 2000);
  CHECK(p.rest_time("192.0.2.1") == 0ms);
  p.charge("192.0.2.1", 1);
  CHECK(p.rest_time("192.0.2.1") == 1ms);
  p.charge("192.0.2.1", 9999);
  CHECK(p.rest_time("192.0.2.1") == 10s);
  CHECK(p.rest_time("192.0.2.2") == 0ms);
  p.clock.advance(9s);
  CHECK(p.rest_time("192.0.2.1") == 1s);
  p.clock.advance(1s);
  CHECK(p.rest_time("192.0.2.1") == 0ms);
}

TEST_CASE("what costs little costs something", "[base]") {
  SourcePace pace(1'000'000, 1s, kKey);
  const IpAddress source = *IpAddress::parse("192.0.2.1");
  const SteadyTime now{1h};
  for (int i = 0; i < 1'100'000; ++i) pace.charge(source, 1, now);
  CHECK(pace.rest_time(source, now) == 100ms);
}

TEST_CASE("who has rested has the whole burst again, and no more", "[base]") {
  Pace p;
  p.charge("192.0.2.1", 5000);
  p.clock.advance(1h);
  p.charge("192.0.2.1", 2500);
  CHECK(p.rest_time("192.0.2.1") == 500ms);
}

TEST_CASE("an IPv6 /64 is one source of work", "[base]") {
  Pace p;
  p.charge("2001:db8::1", 3000);
  CHECK(p.rest_time("2001:db8::2:3:4:5") == 1s);
  CHECK(p.rest_time("2001:db8:0:1::1") == 0ms);
}

TEST_CASE("a rate of zero is no limit, and a huge cost does not wrap around", "[base]") {
  SourcePace none(0, 1s, kKey);
  const IpAddress source = *IpAddress::parse("192.0.2.1");
  none.charge(source, 1 << 30, SteadyTime{});
  CHECK(none.rest_time(source, SteadyTime{}) == 0ms);
  Pace p;
  for (int i = 0; i < 3; ++i) p.charge("192.0.2.1", ~std::uint64_t{0});
  CHECK(p.rest_time("192.0.2.1") > 24h);
}

// A client that uses new addresses all the time replaces only its own entries.
TEST_CASE("the table does not grow", "[base]") {
  Pace p;
  p.charge("192.0.2.1", 1'000'000);
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    p.pace.charge(IpAddress::v4(0x0a000000 + i), 1, p.clock.now().steady);
  }
  CHECK(p.rest_time("192.0.2.1") == 998s);  // who owes most stays
}

}  // namespace
}  // namespace turnpike
