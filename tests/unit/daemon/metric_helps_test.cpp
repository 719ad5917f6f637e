// Prometheus shows one help for all series of a family, so a family whose series have different ones needs
// its own.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "admin/metrics.hpp"
#include "cluster/counters.hpp"
#include "daemon/counters.hpp"
#include "daemon/refusal_counters.hpp"
#include "daemon/web_counters.hpp"
#include "http/counters.hpp"
#include "relay/counters.hpp"

namespace turnpike::daemon {
namespace {

TEST_CASE(
    "each family whose counters have different helps has a help of its own, and no other family has one",
    "[server]") {
  std::vector<admin::Metric> metrics;
  relay::Totals().for_each([&](const auto& counters) { admin::add_metrics(metrics, counters); });
  admin::add_metrics(metrics, http::Counters());
  admin::add_metrics(metrics, http::SiteCounters());
  admin::add_metrics(metrics, cluster::Counters());
  admin::add_metrics(metrics, DaemonCounters());
  admin::add_metrics(metrics, WebCounters());
  admin::add_metrics(metrics, SignalingRefusals());
  admin::add_metrics(metrics, AdminRefusals());
  std::map<std::string, std::set<std::string>> helps;
  std::map<std::string, std::set<std::string>> labels;
  for (const admin::Metric& metric : metrics) {
    helps[metric.family].insert(metric.help);
    INFO(metric.family << ' ' << metric.labels);
    CHECK(labels[metric.family].insert(metric.labels).second);
  }
  CHECK(helps.size() > 20);
  for (const auto& [family, texts] : helps) {
    INFO(family);
    CHECK((texts.size() > 1) == !admin::help_of_family(family).empty());
  }
}

TEST_CASE("a refusal is counted by its name, and one that has no counter is not", "[server]") {
  SignalingRefusals refusals;
  count_refusal(refusals, "token-required");
  count_refusal(refusals, "token-required");
  count_refusal(refusals, "room-full");
  count_refusal(refusals, "connection");
  CHECK(refusals.token_required == 2);
  CHECK(refusals.room_full == 1);
  std::uint64_t all = 0;
  for (const auto& row : kCounterList<SignalingRefusals>) all += refusals.*row.counter;
  CHECK(all == 3);
}

}  // namespace
}  // namespace turnpike::daemon
