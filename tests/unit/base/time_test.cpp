#include "turnpike/base/time.hpp"

#include <catch2/catch.hpp>

namespace turnpike {
namespace {

using namespace std::chrono_literals;

TEST_CASE("both clocks advance together, in milliseconds", "[base]") {
  const TimePoint start{SteadyTime(5ms), WallTime(1'700'000'000s)};
  const TimePoint later = start + 600s;
  CHECK(later.steady - start.steady == 600s);
  CHECK(later.wall - start.wall == 600s);
  CHECK((start + 1ms).steady > start.steady);
}

}  // namespace
}  // namespace turnpike
