#include "relay/warnings.hpp"

#include <catch2/catch.hpp>

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;
using turn::LimitKey;

constexpr SteadyTime kNow{Duration(24h)};

TEST_CASE("a limit is named the first time at once, and then once a minute", "[server]") {
  Warnings warnings{turn::Limits()};
  CHECK(warnings.is_due(LimitKey::channels_per_allocation, kNow));
  CHECK_FALSE(warnings.is_due(LimitKey::channels_per_allocation, kNow));
  CHECK_FALSE(warnings.is_due(LimitKey::channels_per_allocation, kNow + 59s));
  CHECK(warnings.is_due(LimitKey::allocations_per_user, kNow + 1s));
  CHECK(warnings.is_due(LimitKey::channels_per_allocation, kNow + 60s));
  CHECK_FALSE(warnings.is_due(LimitKey::channels_per_allocation, kNow + 61s));
}

}  // namespace
}  // namespace turnpike::relay
