#include "relay/event_log.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <sstream>

#include "support/request_maker.hpp"

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;
using turn::Output;

constexpr SteadyTime kNow{Duration(24h)};

// What is logged while this lives.
class Captured {
 public:
  Captured() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(text_);
    auto logger = std::make_shared<spdlog::logger>("captured", std::move(sink));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(std::move(logger));
  }
  ~Captured() { spdlog::set_default_logger(before_); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  std::string text() const { return text_.str(); }
  auto lines() const { return std::ranges::count(text(), '\n'); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

Output::Refusal refused(std::string name, bool answered = true) {
  return {.tuple = test::client(1).tuple,
          .username = std::move(name),
          .method = stun::Method::allocate,
          .error = stun::ErrorCode::unauthorized,
          .answered = answered};
}

TEST_CASE("of refused requests so many have a line, and the others are counted", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(hints);
  CHECK(log.next_deadline() == SteadyTime::max());
  for (int i = 0; i < 100; ++i) log.log(std::vector{refused("mallory")}, kNow + Duration(i));
  CHECK(captured.lines() == EventLog::kLinesPerPeriod);
  CHECK(captured.text().starts_with(
      "info Allocate refused client=198.51.100.1:40001 user=\"mallory\" error=401 Unauthorized\n"));
  REQUIRE(log.next_deadline() == kNow + EventLog::kPeriod);
  log.on_timeout();
  CHECK(captured.lines() == EventLog::kLinesPerPeriod + 1);
  CHECK_THAT(captured.text(), Catch::Contains("info 80 more requests refused; the last: Allocate "
                                              "client=198.51.100.1:40001 user=\"mallory\" error=401 "
                                              "Unauthorized\n"));
  CHECK(log.next_deadline() == SteadyTime::max());
  log.log(std::vector{refused("trent")}, kNow + 20s);
  CHECK_THAT(captured.text(), Catch::Contains("user=\"trent\""));
}

TEST_CASE("twenty thousand wrong passwords are a few lines", "[server]") {
  Captured captured;
  NetworkHints hints;
  {
    EventLog log(hints);
    for (int i = 0; i < 20; ++i) log.log(std::vector{refused("mallory")}, kNow);
    const std::vector<Output::Refusal> batch(50, refused(std::string(508, 'x'), false));
    for (int i = 0; i < 400; ++i) log.log(batch, kNow + Duration(i));
  }
  CHECK(captured.lines() == 21);
  CHECK(captured.text().size() < 3000);
  CHECK_THAT(
      captured.text(),
      Catch::Contains("warning 20000 more requests refused, 20000 of them not answered "
                      "(limits.failures_per_second); the last: Allocate client=198.51.100.1:40001 user=\"" +
                      std::string(64, 'x') + "\"..."));
}

TEST_CASE("a name in the log is cut at 64 characters, whatever they are", "[server]") {
  const std::string snowman = "\u2603";
  std::string many;
  for (int i = 0; i < 64; ++i) many += snowman;
  CHECK(quoted(many) == '"' + many + '"');
  CHECK(quoted(many + "x") == '"' + many + "\"...");
  CHECK(quoted(std::string(64, 'x')) == '"' + std::string(64, 'x') + '"');
  CHECK(quoted(std::string(508, '\n')).size() == 64 * 5 + 5);
  CHECK(quoted(std::string(65, '\xff')).size() == 64 * 4 + 5);
  CHECK(quoted("a\r\nb\"\\") == "\"a\\u{d}\\u{a}b\\u{22}\\u{5c}\"");
}

TEST_CASE("how to open a network of this machine is told once", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(hints);
  Output::Refusal event = refused("alice");
  event.error = stun::ErrorCode::forbidden;
  event.network = Prefix{test::address("2001:db8:1:2::"), 64};
  for (int i = 0; i < 50; ++i) log.log(std::vector{event}, kNow);
  event.network = Prefix{test::address("2001:db8:1:3::"), 64};
  log.log(std::vector{event}, kNow);  // though its own line is not shown
  const std::string text = captured.text();
  for (const std::string network : {"2001:db8:1:2::/64", "2001:db8:1:3::/64"}) {
    const std::string line = "peers: allow: [\"" + network + "\"]";
    const std::size_t at = text.find(line);
    CHECK(at != std::string::npos);
    CHECK(text.find(line, at + 1) == std::string::npos);
  }
}

TEST_CASE("an allocation that has reached its age is logged as such", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(hints);
  Output::Lifetime event{.kind = Output::Lifetime::Kind::deleted,
                         .tuple = test::client(1).tuple,
                         .username = "alice",
                         .relayed = test::endpoint("192.0.2.1:50000")};
  log.log(std::vector{event});
  event.was_too_old = true;
  log.log(std::vector{event});
  CHECK(captured.text() ==
        "info allocation deleted client=198.51.100.1:40001 user=\"alice\" relayed=192.0.2.1:50000\n"
        "info allocation deleted client=198.51.100.1:40001 user=\"alice\" relayed=192.0.2.1:50000 "
        "reason=allocation_age\n");
}

}  // namespace
}  // namespace turnpike::relay
