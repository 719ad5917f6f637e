#include "daemon/bounds_log.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace turnpike::daemon {
namespace {

TEST_CASE("refusals because of limits are logged at once, and then once a minute with their number",
          "[daemon]") {
  std::vector<std::string> lines;
  BoundsLog log([&](const relay::LogEvent& line) { lines.push_back(line.words()); });
  relay::Totals totals;
  const BoundsLog::Time start{std::chrono::hours(1)};
  log.write_lines(totals, start);
  CHECK(lines.empty());

  std::get<relay::ConnectionCounters>(totals.parts).refused += 2;
  std::get<relay::AssociationCounters>(totals.parts).refused += 1;
  std::get<relay::AssociationCounters>(totals.parts).hellos_withheld += 3;
  std::get<relay::AssociationCounters>(totals.parts).handshakes_withheld += 1;
  std::get<turn::Counters>(totals.parts).client_denied += 7;
  log.write_lines(totals, start);
  CHECK(
      lines ==
      std::vector<std::string>{
          "3 connections were refused because of limits.idle_connections or idle_connections_per_address",
          "4 TLS or DTLS handshakes were refused because of limits.unauthenticated_per_second",
          "7 messages and connections came from networks that clients.allow and clients.deny do not permit"});
  lines.clear();

  std::get<relay::ConnectionCounters>(totals.parts).refused += 5;
  std::get<turn::Counters>(totals.parts).answers_withheld += 1;
  std::get<turn::Counters>(totals.parts).bindings_withheld += 2;
  log.write_lines(totals, start + std::chrono::seconds(59));
  CHECK(lines ==
        std::vector<std::string>{"1 requests had no answer because of limits.unauthenticated_per_second",
                                 "2 Binding requests had no answer because of limits.bindings_per_second"});
  log.write_lines(totals, start + std::chrono::seconds(60));
  std::get<relay::RelaySocketCounters>(totals.parts).out_of_descriptors += 42;
  CHECK(lines.size() == 3);
  CHECK(lines.back() ==
        "5 connections were refused because of limits.idle_connections or idle_connections_per_address");
  log.write_lines(totals, start + std::chrono::seconds(600));
  CHECK(lines.size() == 4);
  CHECK(lines.back() ==
        "42 allocations or connections were refused because there were no descriptors left: raise "
        "LimitNOFILE of the service");
}

TEST_CASE("refusals because of limits have their reason, key and number as fields too", "[daemon]") {
  std::vector<std::string> members;
  BoundsLog log([&](const relay::LogEvent& line) { members.push_back(line.members()); });
  relay::Totals totals;
  std::get<relay::ConnectionCounters>(totals.parts).out_of_descriptors += 3;
  std::get<relay::AssociationCounters>(totals.parts).hellos_withheld += 4;
  std::get<turn::Counters>(totals.parts).bindings_withheld += 2;
  std::get<turn::Counters>(totals.parts).client_denied += 7;
  const BoundsLog::Time start{std::chrono::hours(1)};
  log.write_lines(totals, start);
  CHECK(
      members ==
      std::vector<std::string>{
          R"(,"event":"clients_refused","reason":"handshakes","key":"limits.unauthenticated_per_second","count":4)",
          R"(,"event":"clients_refused","reason":"bindings_per_second","key":"limits.bindings_per_second","count":2)",
          R"(,"event":"clients_refused","reason":"out_of_descriptors","count":3)",
          R"(,"event":"clients_refused","reason":"clients","key":"clients","count":7)"});
  members.clear();
  std::get<turn::Counters>(totals.parts).client_denied += 1;
  log.write_lines(totals, start + std::chrono::seconds(60));
  REQUIRE(members.size() == 1);
  CHECK(members.front() == R"(,"event":"clients_refused","reason":"clients","key":"clients","count":1)");
}

}  // namespace
}  // namespace turnpike::daemon
