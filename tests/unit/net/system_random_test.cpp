// Tests random octets, some of which are kept for later calls.
#include "net/system_random.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <vector>

namespace turnpike::net {
namespace {

TEST_CASE("random octets are never given out twice, whatever the amounts", "[net][random]") {
  SystemRandom random;
  std::set<std::vector<std::uint8_t>> seen;
  std::size_t draws = 0;
  for (int round = 0; round < 20; ++round) {
    for (const std::size_t size : {16, 20, 96, 255, 256, 257, 1000}) {
      std::vector<std::uint8_t> octets(size);
      random.fill(octets);
      for (std::size_t at = 0; at + 16 <= size; at += 16, ++draws)
        seen.insert({octets.begin() + static_cast<std::ptrdiff_t>(at),
                     octets.begin() + static_cast<std::ptrdiff_t>(at) + 16});
    }
  }
  CHECK(seen.size() == draws);
  random.fill({});
}

}  // namespace
}  // namespace turnpike::net
