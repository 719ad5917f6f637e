#include "relay/event_log.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <sstream>

#include "relay/log_event.hpp"
#include "relay/warnings.hpp"
#include "support/request_maker.hpp"
#include "turnpike/base/shown_address.hpp"

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;
using turn::Output;

constexpr SteadyTime kNow{Duration(24h)};

// Collects what is logged while this object exists.
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

  // Returns the words of each line, without the fields after them.
  std::string text() const {
    std::string words;
    std::istringstream lines(text_.str());
    for (std::string line; std::getline(lines, line);)
      words.append(line, 0, line.find(LogEvent::kSeparator)).append("\n");
    return words;
  }
  std::string whole() const { return text_.str(); }
  auto lines() const { return std::ranges::count(text(), '\n'); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

Output::Refusal refused(std::string name, bool answered = true, unsigned client = 1) {
  return {.tuple = test::client(client).tuple,
          .username = std::move(name),
          .method = stun::Method::allocate,
          .error = stun::ErrorCode::unauthenticated,
          .answered = answered};
}

TEST_CASE("the log says when credentials were right once and have expired", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(0, hints);
  Output::Refusal refusal = refused("1700000000:ann");
  refusal.expired = true;
  log.log(std::vector{refusal}, kNow);
  CHECK_THAT(captured.text(), Catch::Contains("user=\"1700000000:ann\" error=401 Credentials expired\n"));
}

TEST_CASE("some refused requests have a line of their own, and the others are counted", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(0, hints);
  CHECK(log.next_deadline() == SteadyTime::max());
  for (int i = 0; i < 100; ++i) log.log(std::vector{refused("mallory")}, kNow + Duration(i));
  CHECK(captured.lines() == EventLog::kLinesPerAddress);
  CHECK(captured.text().starts_with(
      "info Allocate refused client=198.51.100.1:40001 user=\"mallory\" error=401 Unauthenticated\n"));
  REQUIRE(log.next_deadline() == kNow + EventLog::kPeriod);
  log.on_timeout();
  CHECK(captured.lines() == EventLog::kLinesPerAddress + 1);
  CHECK_THAT(captured.text(),
             Catch::Contains("info Allocate refused client=198.51.100.1:40001 user=\"mallory\" error=401 "
                             "Unauthenticated count=95\n"));
  CHECK(log.next_deadline() == SteadyTime::max());
  log.log(std::vector{refused("trent")}, kNow + 20s);
  CHECK_THAT(captured.text(), Catch::Contains("user=\"trent\""));
}

TEST_CASE("twenty thousand wrong passwords are a few lines, and hide nobody else's", "[server]") {
  Captured captured;
  NetworkHints hints;
  {
    EventLog log(0, hints);
    for (int i = 0; i < 20; ++i) log.log(std::vector{refused("mallory")}, kNow);
    const std::vector<Output::Refusal> batch(50, refused(std::string(508, 'x'), false));
    for (int i = 0; i < 400; ++i) log.log(batch, kNow + Duration(i));
    log.log(std::vector{refused("trent", true, 2)}, kNow);
  }
  CHECK(captured.lines() == 7);
  CHECK(captured.text().size() < 3000);
  CHECK_THAT(
      captured.text(),
      Catch::Contains("warning Allocate refused client=198.51.100.1:40001 user=\"" + std::string(64, 'x') +
                      "\"... error=401 Unauthenticated count=20015 not_answered=20000 "
                      "(limits.failures_per_second)"));
  CHECK_THAT(captured.text(), Catch::Contains("client=198.51.100.2:40002 user=\"trent\""));
}

TEST_CASE("however many addresses are refused, there is a bound to what is written", "[server]") {
  Captured captured;
  NetworkHints hints;
  {
    EventLog log(0, hints);
    for (unsigned i = 0; i < 1000; ++i) log.log(std::vector{refused("m", true, 1 + i % 250)}, kNow);
  }
  CHECK(captured.lines() <= EventLog::kLinesPerPeriod + static_cast<long>(EventLog::kMaxAddresses) + 2);
  CHECK_THAT(captured.text(), Catch::Contains("744 more requests, from other addresses, were refused"));
  CHECK_THAT(captured.whole(), Catch::Contains(R"(,"event":"more_refused","count":744)"));

  // The next period has as many lines again.
  EventLog log(0, hints);
  const auto lines_of_next = [&] {
    const auto before = captured.lines();
    for (unsigned i = 0; i < 30; ++i) log.log(std::vector{refused("m", true, 1 + i)}, kNow);
    return captured.lines() - before;
  };
  CHECK(lines_of_next() == EventLog::kLinesPerPeriod);
  log.on_timeout();
  CHECK(lines_of_next() == EventLog::kLinesPerPeriod);
}

TEST_CASE("a name in the log is cut at 64 characters, whatever they are", "[server]") {
  const std::string snowman = "\u2603";
  std::string many;
  for (int i = 0; i < 64; ++i) many += snowman;
  CHECK(relay::quoted(many) == '"' + many + '"');
  CHECK(relay::quoted(many + "x") == '"' + many + "\"...");
  CHECK(relay::quoted(std::string(64, 'x')) == '"' + std::string(64, 'x') + '"');
  CHECK(relay::quoted(std::string(508, '\n')).size() == 64 * 5 + 5);
  CHECK(relay::quoted(std::string(65, '\xff')).size() == 64 * 4 + 5);
  CHECK(relay::quoted("a\r\nb\"\\") == "\"a\\u{d}\\u{a}b\\u{22}\\u{5c}\"");
}

TEST_CASE("a refusal because of a peer names the peer", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(0, hints);
  Output::Refusal event = refused("alice");
  event.method = stun::Method::channel_bind;
  event.error = stun::ErrorCode::forbidden;
  event.peer = test::endpoint("192.0.2.7:80");
  log.log(std::vector{event}, kNow);
  CHECK(captured.text() ==
        "info ChannelBind refused client=198.51.100.1:40001 user=\"alice\" error=403 Forbidden "
        "peer=192.0.2.7:80\n");
  CHECK_THAT(captured.whole(), Catch::Contains(R"("peer":"192.0.2.7:80")"));
}

TEST_CASE("the advice how to open a network of this machine is logged once", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(0, hints);
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
    CHECK_THAT(captured.whole(), Catch::Contains(R"(,"event":"network_closed","network":")" + network +
                                                 R"(","key":"peers.allow")"));
  }
}

TEST_CASE("an allocation that has reached its age is logged as such", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(0, hints);
  Output::Lifetime event{.kind = Output::Lifetime::Kind::deleted,
                         .tuple = test::client(1).tuple,
                         .username = "alice",
                         .relayed = test::endpoint("192.0.2.1:50000")};
  log.log(std::vector{event});
  event.reason = turn::EndReason::allocation_age;
  event.number = 7;
  event.age = 61s;
  event.rx_bytes = 100;
  event.rx_packets = 1;
  event.peers = 2;
  log.log(std::vector{event});
  CHECK(captured.text() ==
        "info allocation deleted client=198.51.100.1:40001 user=\"alice\" relayed=192.0.2.1:50000 "
        "transport=udp id=0-0 reason=refresh duration_s=0 rx_bytes=0 tx_bytes=0 rx_packets=0 tx_packets=0 "
        "peers=0\n"
        "info allocation deleted client=198.51.100.1:40001 user=\"alice\" relayed=192.0.2.1:50000 "
        "transport=udp id=0-7 reason=allocation_age duration_s=61 rx_bytes=100 tx_bytes=0 rx_packets=1 "
        "tx_packets=0 peers=2\n");
  CHECK_THAT(
      captured.whole(),
      Catch::Contains(R"(,"event":"allocation_deleted","client":"198.51.100.1:40001","user":"alice")") &&
          Catch::Contains(R"("id":"0-7","reason":"allocation_age","duration_s":61,"rx_bytes":100)"));
}

TEST_CASE("a name cannot add a field of its own to a line", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(0, hints);
  log.log(std::vector{refused("x\x1f,\"client\":\"1.2.3.4\"\n")}, kNow);
  CHECK(captured.lines() == 1);
  CHECK(std::ranges::count(captured.whole(), LogEvent::kSeparator) == 1);
  CHECK_THAT(captured.whole(), Catch::Contains(R"("user":"x\\u{1f},\\u{22}client)"));
}

TEST_CASE("an operator may have networks logged in place of addresses", "[server]") {
  Captured captured;
  NetworkHints hints;
  EventLog log(0, hints);
  show_addresses(ShownAddresses::prefix);
  log.log(std::vector{refused("mallory")}, kNow);
  show_addresses(ShownAddresses::full);
  CHECK(captured.text() ==
        "info Allocate refused client=198.51.100.0/24 user=\"mallory\" error=401 Unauthenticated\n");
  CHECK(shown_address(test::address("2001:db8:1:2::3")) == "2001:db8:1:2::3");
}

TEST_CASE("the warning about a limit says whether a client was refused or data was dropped", "[server]") {
  Captured captured;
  turn::Limits limits;
  limits.allocations_per_user = 3;
  limits.bytes_per_second = 1000;
  Warnings warnings(limits);
  const auto bit = [](turn::LimitKey key) { return 1U << static_cast<unsigned>(key); };
  warnings.warn_about_limits(
      bit(turn::LimitKey::allocations_per_user) | bit(turn::LimitKey::bytes_per_second), kNow);
  CHECK(captured.text() ==
        "warning a client was refused because of limits.allocations_per_user, which is 3\n"
        "warning data was dropped because of limits.bytes_per_second, which is 1000\n");
}

}  // namespace
}  // namespace turnpike::relay
