#include "turnpike/base/hex.hpp"

#include <array>
#include <catch2/catch.hpp>

namespace turnpike {
namespace {

TEST_CASE("hex fills its array exactly", "[base]") {
  std::array<std::uint8_t, 3> out{};
  CHECK(parse_hex("00fFa9", out));
  CHECK(out == std::array<std::uint8_t, 3>{0x00, 0xff, 0xa9});
  CHECK_FALSE(parse_hex("00ffa", out));
  CHECK_FALSE(parse_hex("00ffa9a", out));
  CHECK_FALSE(parse_hex("00ffg9", out));
}

}  // namespace
}  // namespace turnpike
