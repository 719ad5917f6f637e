#include "turnpike/crypto/random.hpp"

#include <catch2/catch.hpp>

namespace turnpike::crypto {
namespace {

// Returns the same 32 bits every time.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::uint32_t draw) : draw_(draw) {}
  void fill(MutableBytes bytes) override { store_u32(bytes.data(), draw_); }

 private:
  std::uint32_t draw_;
};

TEST_CASE("a draw is scaled to its bound and stays below it", "[crypto]") {
  struct Case {
    std::uint32_t draw;
    std::uint32_t bound;
    std::uint32_t expected;
  };
  const Case cases[] = {
      {0, 1, 0},
      {0xFFFFFFFF, 1, 0},
      {0, 16384, 0},
      {0x80000000, 16384, 8192},
      {0xFFFFFFFF, 16384, 16383},
      {0x55555555, 3, 0},
      {0x55555556, 3, 1},
      {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFE},
  };
  for (const Case& c : cases) {
    CAPTURE(c.draw, c.bound);
    CHECK(FixedRandom(c.draw).below(c.bound) == c.expected);
  }
}

}  // namespace
}  // namespace turnpike::crypto
