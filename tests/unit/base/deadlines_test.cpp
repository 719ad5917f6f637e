#include "turnpike/base/deadlines.hpp"

#include <catch2/catch.hpp>

using namespace turnpike;

namespace {

SteadyTime at(int seconds) { return SteadyTime{} + std::chrono::seconds(seconds); }

}  // namespace

TEST_CASE("deadlines come in their order, whatever order they were set in") {
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
