// Random octets from the kernel. It keeps some of them, so that a small number of octets rarely needs a
// system call. Belongs to one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "turnpike/crypto/random.hpp"

namespace turnpike::net {

class SystemRandom : public crypto::Random {
 public:
  // Throws std::system_error. This does not happen on a machine that has finished booting.
  void fill(MutableBytes bytes) override;

 private:
  std::array<std::uint8_t, 256> kept_{};
  std::size_t left_ = 0;  // how many of kept_, from its beginning, were not given out
};

}  // namespace turnpike::net
