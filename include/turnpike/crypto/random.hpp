// Randomness as an argument. The daemon passes the kernel's generator, a test passes a script.
#pragma once

#include <array>
#include <cstdint>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/keyed_hash.hpp"

namespace turnpike::crypto {

class Random {
 public:
  virtual ~Random() = default;
  // Fills the whole span with octets that nobody can predict.
  virtual void fill(MutableBytes bytes) = 0;

  // Returns a random number in [0, bound). `bound` is at least 1. The numbers are uniform, except for a bias
  // below bound / 2^32.
  std::uint32_t below(std::uint32_t bound) {
    std::array<std::uint8_t, 4> bytes;
    fill(bytes);
    return static_cast<std::uint32_t>(std::uint64_t{load_u32(bytes.data())} * bound >> 32);
  }
};

// Draws a key for the hash tables of this process, or of one part of it. A stranger who does not know the key
// cannot choose names or addresses that collide.
inline HashKey draw_hash_key(Random& random) {
  std::array<std::uint8_t, 16> bytes;
  random.fill(bytes);
  return {load_u64(bytes.data()), load_u64(&bytes[8])};
}

}  // namespace turnpike::crypto
