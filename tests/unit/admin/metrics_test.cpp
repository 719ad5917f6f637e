#include "admin/metrics.hpp"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "admin/open_descriptors.hpp"
#include "admin/process_start.hpp"
#include "net/fd.hpp"

namespace turnpike::admin {
namespace {

TEST_CASE("series of one family stand together under its help and type", "[admin]") {
  const std::string text = to_prometheus({
      {"eaten_total", "What was eaten.", MetricKind::counter, label("reason", "malformed"), 3},
      {"ready", "1 while ready.", MetricKind::gauge, {}, 1},
      {"eaten_total", "What was eaten.", MetricKind::counter, label("reason", "full"), 0},
  });
  CHECK_THAT(text, Catch::StartsWith("# HELP turnpike_eaten_total What was eaten.\n"
                                     "# TYPE turnpike_eaten_total counter\n"));
  CHECK_THAT(text, Catch::Contains("turnpike_eaten_total{reason=\"malformed\"} 3\n"
                                   "turnpike_eaten_total{reason=\"full\"} 0\n"));
  CHECK_THAT(text, Catch::Contains("# TYPE turnpike_ready gauge\nturnpike_ready 1\n"));
}

TEST_CASE("a family whose series say different things has a help of its own", "[admin]") {
  const std::string text = to_prometheus({
      {"refused_total", "Clients without a token.", MetricKind::counter, label("reason", "token"), 3},
      {"refused_total", "Rooms that are full.", MetricKind::counter, label("reason", "room"), 0},
  });
  CHECK_THAT(text,
             Catch::StartsWith("# HELP turnpike_refused_total Requests, connections and clients that "));
  CHECK_THAT(text, !Catch::Contains("Clients without a token."));
}

TEST_CASE("a histogram's buckets add up, in the unit that is shown", "[admin]") {
  Histogram<1, 2> nanoseconds;
  for (const std::uint64_t value : {1, 3, 4, 100}) nanoseconds.count(value);
  CHECK_THAT(to_prometheus({to_metric("pass_seconds", "How long.", nanoseconds, 0.5)}),
             Catch::Contains("# TYPE turnpike_pass_seconds histogram\n"
                             "turnpike_pass_seconds_count 4\n"
                             "turnpike_pass_seconds_sum 54\n"
                             "turnpike_pass_seconds_bucket{le=\"1\"} 1\n"
                             "turnpike_pass_seconds_bucket{le=\"2\"} 3\n"
                             "turnpike_pass_seconds_bucket{le=\"+Inf\"} 4\n"));
}

TEST_CASE("a value of a label is escaped once", "[admin]") {
  const std::string odd = "a\"b\\c\nd";
  const std::string text =
      to_prometheus({{"x", "X.", MetricKind::gauge, label("name", odd) + ',' + label("more", "y"), 2}});
  CHECK_THAT(text, Catch::Contains(R"(turnpike_x{name="a\"b\\c\nd",more="y"} 2)"));
}

TEST_CASE("the process tells of itself by the names that Prometheus has", "[admin]") {
  std::vector<Metric> metrics;
  add_process_metrics(metrics);
  const std::string text = to_prometheus(metrics);
  for (const char* name :
       {"process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_open_fds ",
        "process_max_fds ", "process_start_time_seconds ", "process_virtual_memory_bytes "}) {
    CHECK_THAT(text, Catch::Contains(std::string("\n") + name));
  }
}

TEST_CASE("the start of the process is the same at each scrape, however the clocks move", "[admin]") {
  std::vector<Metric> metrics;
  add_process_metrics(metrics);
  const auto shown = std::ranges::find(metrics, std::string("process_start_time_seconds"), &Metric::family);
  REQUIRE(shown != metrics.end());
  CHECK(process_start(1, [] { return 1000.0; }) == shown->value);
  CHECK(process_start(1, [] { return 1000.000001; }) == shown->value);
}

TEST_CASE("descriptors are counted without a kernel that knows their number", "[admin]") {
  const std::size_t before = count_descriptors();
  CHECK(before >= 3);
  {
    std::vector<net::Fd> more;
    for (int i = 0; i < 300; ++i) more.emplace_back(dup(STDERR_FILENO));
    CHECK(count_descriptors() == before + 300);
    CHECK(open_descriptors() == before + 300);
    more.erase(more.begin());  // there may be gaps
    CHECK(count_descriptors() == before + 299);
  }
  CHECK(count_descriptors() == before);
}

}  // namespace
}  // namespace turnpike::admin
