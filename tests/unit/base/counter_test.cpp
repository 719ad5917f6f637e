#include "turnpike/base/counter.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "cluster/counters.hpp"
#include "daemon/counters.hpp"
#include "daemon/refusal_counters.hpp"
#include "daemon/web_counters.hpp"
#include "http/counters.hpp"
#include "relay/counters.hpp"

namespace turnpike {
namespace {

// Collects every series of the metrics, and checks that no two counters of a list share a name or a member.
template <class Counters>
void check_list(std::set<std::string>& series) {
  std::set<std::string_view> names;
  for (const CounterRow<Counters>& row : kCounterList<Counters>) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    CHECK(row.help.ends_with("."));
    Counters one;
    ++(one.*row.counter);
    std::uint64_t sum = 0;
    for (const CounterRow<Counters>& other : kCounterList<Counters>) sum += one.*other.counter;
    CHECK(sum == 1);
    if (row.family.empty()) continue;
    CHECK(series.insert(std::string(row.family) + '{' + std::string(row.labels) + '}').second);
  }
}

TEST_CASE("each counter has one row, and each row a series of its own", "[base]") {
  std::set<std::string> series;
  relay::Totals().for_each([&]<class Counters>(const Counters&) { check_list<Counters>(series); });
  check_list<http::Counters>(series);
  check_list<http::SiteCounters>(series);
  check_list<cluster::Counters>(series);
  check_list<daemon::DaemonCounters>(series);
  check_list<daemon::WebCounters>(series);
  check_list<daemon::SignalingRefusals>(series);
  check_list<daemon::AdminRefusals>(series);
  CHECK(series.contains(R"(dropped_total{reason="malformed"})"));
}

TEST_CASE("counters are added and described by their list", "[base]") {
  net::SendCounters sum;
  net::SendCounters more;
  more.count(0);
  more.count(0);
  more.count(EAGAIN);
  add_counters(sum, more);
  add_counters(sum, more);
  CHECK(describe_counters(sum) == "sent=4 dropped_full=2 dropped_failed=0 ");
}

}  // namespace
}  // namespace turnpike
