#include "cluster/known_nodes.hpp"

#include <catch2/catch.hpp>

namespace turnpike::cluster {
namespace {

using namespace std::chrono_literals;
using Judged = KnownNodes::Verdict;

constexpr TimePoint kBegun{SteadyTime(10'000h), WallTime(Duration(1'790'000'000'000))};

std::uint64_t at(TimePoint time) { return static_cast<std::uint64_t>(time.wall.time_since_epoch().count()); }

NodeRecord wrote(std::uint64_t written_at, std::uint64_t began = 1) {
  NodeRecord node;
  node.name = "a";
  node.began = began;
  node.written_at = written_at;
  return node;
}

TEST_CASE("a record is fresh while it is written anew, and one that was written before is old", "[cluster]") {
  KnownNodes known;
  CHECK(known.accept(wrote(at(kBegun)), kBegun) == Judged::fresh);
  CHECK(known.accept(wrote(at(kBegun)), kBegun + 9s) == Judged::fresh);
  CHECK(known.accept(wrote(at(kBegun)), kBegun + 10s) == Judged::silent);
  const TimePoint later = kBegun + 20s;
  CHECK(known.accept(wrote(at(later)), later) == Judged::fresh);
  CHECK(known.accept(wrote(at(kBegun)), later + 1s) == Judged::old);
  // The node's last record stays valid for as long as it would have without the old one.
  REQUIRE(known.latest_of("a", (later + 9s).steady));
  CHECK(known.latest_of("a", (later + 9s).steady)->written_at == at(later));
  CHECK_FALSE(known.latest_of("a", (later + 10s).steady));
  CHECK_FALSE(known.latest_of("b", later.steady));
}

TEST_CASE("a node whose clock was ahead is known again once it was started with the right time",
          "[cluster]") {
  KnownNodes known;
  const std::uint64_t ahead = at(kBegun + 1h);
  CHECK(known.accept(wrote(ahead, ahead), kBegun) == Judged::fresh);
  CHECK(known.accept(wrote(ahead + 1, ahead), kBegun + 1s) == Judged::fresh);
  const std::uint64_t right = at(kBegun + 5s);
  CHECK(known.accept(wrote(right, right), kBegun + 5s) == Judged::fresh);
  CHECK(known.accept(wrote(right + 3000, right), kBegun + 8s) == Judged::fresh);
  CHECK_FALSE(known.is_used_twice("a", (kBegun + 8s).steady));
  // A record of another time is not a restart, and neither is an earlier record of the same run.
  CHECK(known.accept(wrote(at(kBegun), 3), kBegun + 9s) == Judged::old);
  CHECK(known.accept(wrote(right, right), kBegun + 9s) == Judged::old);
}

TEST_CASE("a node that goes on with a clock that was set back is there", "[cluster]") {
  KnownNodes known;
  const std::uint64_t ahead = at(kBegun + 1h);
  CHECK(known.accept(wrote(ahead), kBegun + 1h) == Judged::fresh);
  CHECK(known.accept(wrote(ahead + 1), kBegun) == Judged::fresh);
  CHECK(known.accept(wrote(ahead), kBegun) == Judged::old);
}

TEST_CASE("two servers that write in turn are one node's name used twice", "[cluster]") {
  KnownNodes known;
  TimePoint now = kBegun;
  const auto write = [&](std::uint64_t began) {
    now = now + 1s;
    CHECK(known.accept(wrote(at(now), began), now) == Judged::fresh);
    return known.is_used_twice("a", now.steady);
  };
  CHECK_FALSE(write(1));
  CHECK_FALSE(write(2));  // it has restarted
  CHECK_FALSE(write(2));
  CHECK(write(1));
  CHECK_FALSE(known.is_used_twice("a", (now + 60s).steady));
}

TEST_CASE("an order is heeded once, and not at another time", "[cluster]") {
  KnownNodes known;
  CHECK(known.accept_order("a", at(kBegun), kBegun) == Judged::fresh);
  CHECK(known.accept_order("a", at(kBegun), kBegun) == Judged::old);
  CHECK(known.accept_order("a", at(kBegun) + 1, kBegun) == Judged::fresh);
  CHECK(known.accept_order("b", at(kBegun), kBegun) == Judged::fresh);
  CHECK(known.accept_order("a", at(kBegun + 5min), kBegun) == Judged::fresh);
  CHECK(known.accept_order("a", at(kBegun + 5min) + 1, kBegun) == Judged::untimely);
  CHECK(known.accept_order("c", at(kBegun), kBegun + 5min) == Judged::fresh);
  CHECK(known.accept_order("d", at(kBegun), kBegun + 5min + 1ms) == Judged::untimely);
}

TEST_CASE("an order that was kept is heeded for a day, and once", "[cluster]") {
  KnownNodes known;
  const TimePoint later = kBegun + 24h;
  CHECK(known.accept_order("a", at(kBegun), kBegun) == Judged::fresh);
  CHECK(known.accept_kept_order("a", at(kBegun), later) == Judged::old);
  CHECK(known.accept_kept_order("a", at(kBegun) + 1, later) == Judged::fresh);
  CHECK(known.accept_order("a", at(kBegun) + 2, later) == Judged::untimely);
  CHECK(known.accept_kept_order("b", at(kBegun) - 1, later) == Judged::untimely);
  CHECK(known.accept_kept_order("b", at(later + 6min), later) == Judged::untimely);
}

TEST_CASE("those that have not said goodbye may still run, for a day", "[cluster]") {
  KnownNodes known;
  CHECK(known.accept_order("b", at(kBegun), kBegun) == Judged::fresh);
  CHECK(known.possibly_running().empty());
  CHECK(known.accept(wrote(at(kBegun)), kBegun) == Judged::fresh);
  CHECK(known.possibly_running() == std::vector<std::string>{"a"});
  NodeRecord last = wrote(at(kBegun + 1s));
  last.leaving = true;
  CHECK(known.accept(last, kBegun + 1s) == Judged::fresh);
  CHECK(known.possibly_running().empty());
  CHECK(known.accept(wrote(at(kBegun + 2s), 2), kBegun + 2s) == Judged::fresh);
  known.forget_long_gone((kBegun + 24h + 2s).steady);
  CHECK(known.possibly_running() == std::vector<std::string>{"a"});
  known.forget_long_gone((kBegun + 24h + 3s).steady);
  CHECK(known.possibly_running().empty());
}

}  // namespace
}  // namespace turnpike::cluster
