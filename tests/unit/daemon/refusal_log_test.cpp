#include "daemon/refusal_log.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

namespace turnpike::daemon {
namespace {

using namespace std::chrono_literals;

struct Log {
  RefusalLog log;
  test::ManualClock clock;

  std::string operator()(const http::Refused& refused) {
    const auto line = log.line(refused, clock.now().steady);
    return line ? line->words() : "";
  }
};

const IpAddress kClient = *IpAddress::parse("198.51.100.1");

TEST_CASE("a refusal names the key that decides", "[server]") {
  Log log;
  CHECK(log({"host", "signaling.hosts", kClient, "evil.example:8080"}) ==
        R"(signaling refused host "evil.example:8080" from 198.51.100.1 (signaling.hosts))");
  CHECK(log({"room-full", "signaling.members_per_room", kClient}) ==
        "signaling refused room-full from 198.51.100.1 (signaling.members_per_room)");
}

TEST_CASE("a refusal has its reason, client and key as fields too", "[server]") {
  Log log;
  const http::Refused origin{"origin", "signaling.cors", kClient, "https://a.example\x1f"};
  const auto first = log.log.line(origin, log.clock.now().steady);
  REQUIRE(first);
  CHECK(first->members() ==
        R"(,"event":"signaling_refused","reason":"origin","client":"198.51.100.1","key":"signaling.cors")");
  CHECK_FALSE(log.log.line(origin, log.clock.now().steady));
  log.clock.advance(RefusalLog::kInterval);
  const auto second = log.log.line(origin, log.clock.now().steady);
  REQUIRE(second);
  CHECK(second->members() == first->members() + R"(,"count":2)");
  CHECK(second->words().find(relay::LogEvent::kSeparator) == std::string::npos);
}

TEST_CASE("of each kind one line a minute is written, and the others are counted", "[server]") {
  Log log;
  const http::Refused origin{"origin", "signaling.cors", kClient, "https://a.example"};
  const http::Refused host{"host", "signaling.hosts", kClient, "b.example"};
  CHECK_FALSE(log(origin).empty());
  CHECK_FALSE(log(host).empty());
  for (int i = 0; i < 1000; ++i) CHECK(log(origin).empty());
  log.clock.advance(59'999ms);
  CHECK(log(origin).empty());
  log.clock.advance(1ms);
  CHECK(log(origin) == R"(signaling refused origin "https://a.example" from 198.51.100.1 (signaling.cors); )"
                       "1001 more since the last line");
  CHECK(log(origin).empty());
  CHECK(log(host) == R"(signaling refused host "b.example" from 198.51.100.1 (signaling.hosts))");
  CHECK(log.log.totals() == "host=2 origin=1004");
}

TEST_CASE("a stranger's text is short, and passes for nothing else", "[server]") {
  Log log;
  const std::string line = log({"host", "signaling.hosts", kClient, "x\n" + std::string(1000, 'y')});
  CHECK(line.size() < 200);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(log.log.totals() == "host=1");
  CHECK(RefusalLog().totals().empty());
}

}  // namespace
}  // namespace turnpike::daemon
