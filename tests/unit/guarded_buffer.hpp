// A buffer between two guards, which detect an encoder that writes outside of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "turnpike/base/bytes.hpp"

namespace turnpike::test {

// The buffer is filled with kDirt, like a buffer that was used before.
class GuardedBuffer {
 public:
  static constexpr std::uint8_t kDirt = 0xFF;

  explicit GuardedBuffer(std::size_t size) : memory_(size + 2 * kWall, kDirt), size_(size) {
    std::fill_n(memory_.begin(), kWall, kBrick);
    std::fill_n(memory_.end() - kWall, kWall, kBrick);
  }

  MutableBytes bytes() { return MutableBytes(memory_).subspan(kWall, size_); }

  bool walls_stand() const {
    const auto is_brick = [](std::uint8_t b) { return b == kBrick; };
    return std::all_of(memory_.begin(), memory_.begin() + kWall, is_brick) &&
           std::all_of(memory_.end() - kWall, memory_.end(), is_brick);
  }

 private:
  static constexpr std::ptrdiff_t kWall = 64;
  static constexpr std::uint8_t kBrick = 0xA5;

  std::vector<std::uint8_t> memory_;
  std::size_t size_;
};

}  // namespace turnpike::test
