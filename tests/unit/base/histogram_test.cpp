#include "turnpike/base/histogram.hpp"

#include <catch2/catch.hpp>

namespace turnpike {
namespace {

using Small = Histogram<1, 3>;  // up to 2, up to 4, up to 8, more

TEST_CASE("a power of two belongs to the range that it ends", "[histogram]") {
  Small histogram;
  for (const std::uint64_t value : {0, 1, 2}) histogram.count(value);
  for (const std::uint64_t value : {3, 4}) histogram.count(value);
  histogram.count(8);
  for (const std::uint64_t value : {9, 1'000'000, 17, 16}) histogram.count(value);
  CHECK(histogram.in_range(0) == 3);
  CHECK(histogram.in_range(1) == 2);
  CHECK(histogram.in_range(2) == 1);
  CHECK(histogram.in_range(3) == 4);
  CHECK(histogram.sum() == 1'000'060);
  CHECK(Small::end_of(0) == 2);
  CHECK(Small::end_of(2) == 8);
}

TEST_CASE("histograms are added range by range", "[histogram]") {
  Small one;
  Small other;
  one.count(3);
  other.count(4);
  other.count(~std::uint64_t{0} >> 1);
  one += other;
  CHECK(one.in_range(1) == 2);
  CHECK(one.in_range(3) == 1);
}

}  // namespace
}  // namespace turnpike
