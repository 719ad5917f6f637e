#include "relay/warnings.hpp"

#include <catch2/catch.hpp>

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;
using turn::LimitKey;

constexpr SteadyTime kFirst{Duration(24h)};

TEST_CASE("a limit is reported at once the first time, and then once a minute", "[server]") {
  Warnings warnings{turn::Limits()};
  CHECK(warnings.take_due(LimitKey::channels_per_allocation, kFirst));
  CHECK_FALSE(warnings.take_due(LimitKey::channels_per_allocation, kFirst));
  CHECK_FALSE(warnings.take_due(LimitKey::channels_per_allocation, kFirst + 59s));
  CHECK(warnings.take_due(LimitKey::allocations_per_user, kFirst + 1s));
  CHECK(warnings.take_due(LimitKey::channels_per_allocation, kFirst + 60s));
  CHECK_FALSE(warnings.take_due(LimitKey::channels_per_allocation, kFirst + 61s));
}

}  // namespace
}  // namespace turnpike::relay
