#include "turnpike/base/deadlines.hpp"

#include <catch2/catch.hpp>

#include "support/failing_new.hpp"

using namespace turnpike;

namespace {

SteadyTime at(int seconds) { return SteadyTime{} + std::chrono::seconds(seconds); }

}  // namespace

TEST_CASE("deadlines come in their order, whatever order they were set in", "[base]") {
  Deadlines<int> deadlines;
  SteadyTime one{};
  SteadyTime two{};
  CHECK(deadlines.next() == SteadyTime::max());
  deadlines.set(1, one, at(20));
  deadlines.set(2, two, at(10));
  CHECK(deadlines.next() == at(10));
  CHECK(deadlines.first() == 2);

  deadlines.set(2, two, at(30));
  CHECK(two == at(30));
  CHECK(deadlines.next() == at(20));
  CHECK(deadlines.first() == 1);

  deadlines.clear(1, one);
  deadlines.clear(1, one);
  CHECK(deadlines.next() == at(30));
  deadlines.clear(2, two);
  CHECK(deadlines.next() == SteadyTime::max());
}

TEST_CASE("a deadline that is set to what it is stays", "[base]") {
  Deadlines<int> deadlines;
  SteadyTime held{};
  deadlines.set(1, held, at(10));
  deadlines.set(1, held, at(10));
  CHECK(deadlines.next() == at(10));
  deadlines.clear(1, held);
  CHECK(deadlines.next() == SteadyTime::max());
}

// Otherwise its owner would take it for set, and it would never expire.
TEST_CASE("a deadline that cannot be set for lack of memory is unchanged", "[memory]") {
  using test::FailingNew;
  const auto fails_to_set = [](Deadlines<int>& deadlines, SteadyTime& held, SteadyTime time) {
    FailingNew::fail(1);
    const FailingNew::Counting counting;
    try {
      deadlines.set(1, held, time);
      return false;
    } catch (const std::bad_alloc&) {
      return true;
    }
  };
  Deadlines<int> deadlines;
  SteadyTime held{};
  CHECK(fails_to_set(deadlines, held, at(10)));
  CHECK(held == SteadyTime{});
  CHECK(deadlines.next() == SteadyTime::max());
  deadlines.set(1, held, at(10));
  CHECK(fails_to_set(deadlines, held, at(20)));
  CHECK(held == at(10));
  CHECK(deadlines.next() == at(10));
}
