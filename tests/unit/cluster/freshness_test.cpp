#include "cluster/freshness.hpp"

#include <catch2/catch.hpp>

namespace turnpike::cluster {
namespace {

using namespace std::chrono_literals;
using Verdict = Freshness::Verdict;

constexpr WallTime kNow{Duration(1'790'000'000'000)};

std::uint64_t number_at(WallTime time) { return Numbers().next(time); }

TEST_CASE("numbers grow, whatever the clock does", "[cluster]") {
  Numbers numbers;
  CHECK(numbers.next(kNow) == 1'790'000'000'000);
  CHECK(numbers.next(kNow) == 1'790'000'000'001);
  CHECK(numbers.next(kNow - 1h) == 1'790'000'000'002);
  CHECK(numbers.next(kNow + 1s) == 1'790'000'001'000);
}

TEST_CASE("a later start has the greater name", "[cluster]") {
  CHECK(name_run(kNow, "zzz") < name_run(kNow + 1ms, "aaa"));
  CHECK(name_run(kNow, "a") != name_run(kNow, "b"));
  CHECK(name_run(kNow, std::string(100, 'x')).size() == kMaxRun);
}

TEST_CASE("what a node has said is heeded once", "[cluster]") {
  Freshness freshness;
  const std::string run = name_run(kNow, "x");
  const std::uint64_t number = number_at(kNow);
  CHECK(freshness.accept("a", run, number, kNow) == Verdict::fresh);
  CHECK(freshness.accept("a", run, number, kNow) == Verdict::repeated);
  CHECK(freshness.accept("a", run, number + 2, kNow) == Verdict::fresh);
  CHECK(freshness.accept("a", run, number + 1, kNow) == Verdict::repeated);
  CHECK(freshness.accept("b", run, number, kNow) == Verdict::fresh);
}

TEST_CASE("of two starts of a node the later one is heeded", "[cluster]") {
  Freshness freshness;
  const std::string first = name_run(kNow, "x");
  const std::string second = name_run(kNow + 1s, "x");
  CHECK(freshness.accept("a", first, number_at(kNow + 2s), kNow + 2s) == Verdict::fresh);
  CHECK(freshness.accept("a", second, number_at(kNow + 1s), kNow + 2s) == Verdict::fresh);
  CHECK(freshness.accept("a", first, number_at(kNow + 3s), kNow + 3s) == Verdict::superseded);
}

TEST_CASE("what is from another time is not heeded, so that it need not be remembered", "[cluster]") {
  Freshness freshness;
  const std::string run = name_run(kNow, "x");
  const std::uint64_t number = number_at(kNow);
  CHECK(freshness.accept("a", run, number, kNow + 61s) == Verdict::untimely);
  CHECK(freshness.accept("a", run, number, kNow - 61s) == Verdict::untimely);
  CHECK(freshness.accept("a", run, number, kNow + 59s) == Verdict::fresh);
  freshness.forget_old(kNow + 60s);
  CHECK(freshness.accept("a", run, number, kNow + 60s) == Verdict::repeated);
  freshness.forget_old(kNow + 61s);
  CHECK(freshness.accept("a", run, number, kNow + 61s) == Verdict::untimely);
  // A number of the future is remembered for longer.
  CHECK(freshness.accept("b", run, number, kNow - 60s) == Verdict::fresh);
  freshness.forget_old(kNow - 30s);
  CHECK(freshness.accept("b", run, number, kNow - 30s) == Verdict::repeated);
}

TEST_CASE("a node whose clock is set back goes on, and what it said before is no less old", "[cluster]") {
  Freshness freshness;
  const std::string run = name_run(kNow + 1h, "x");
  Numbers numbers;
  const WallTime ahead = kNow + 1h;  // so are all clocks; then all of them are set right
  const std::uint64_t before = numbers.next(ahead);
  CHECK(freshness.accept("a", run, before, ahead) == Verdict::fresh);
  const std::uint64_t after = numbers.next(kNow);
  CHECK(freshness.accept("a", run, after, kNow) == Verdict::fresh);
  CHECK(freshness.accept("a", run, before, kNow) == Verdict::repeated);
  CHECK(freshness.accept("a", run, after, kNow) == Verdict::repeated);
  freshness.forget_old(kNow + 10min);
  CHECK(freshness.accept("a", run, numbers.next(kNow + 10min), kNow + 10min) == Verdict::fresh);
  // A node that is restarted then is not a second server, and its former run is over.
  const std::string second = name_run(kNow + 11min, "x");
  CHECK(freshness.accept("a", second, number_at(kNow + 11min), kNow + 11min) == Verdict::fresh);
  CHECK(freshness.accept("a", run, numbers.next(kNow), kNow + 11min) == Verdict::untimely);
  // This server knows nothing of the node's run, so the message may be an old one of any time.
  CHECK(freshness.accept("b", run, before, kNow) == Verdict::untimely);
}

TEST_CASE("what a node said while it was not heard is not heeded later", "[cluster]") {
  Freshness freshness;
  const std::string run = name_run(kNow, "x");
  CHECK(freshness.accept("a", run, number_at(kNow), kNow) == Verdict::fresh);
  CHECK(freshness.accept("a", run, number_at(kNow + 1s), kNow + 2min) == Verdict::untimely);
}

}  // namespace
}  // namespace turnpike::cluster
