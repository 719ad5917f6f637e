// Random octets from the kernel.
#pragma once

#include "turnpike/crypto/random.hpp"

namespace turnpike::net {

class SystemRandom : public crypto::Random {
 public:
  // Throws std::system_error. This does not happen on a machine that has finished booting.
  void fill(MutableBytes bytes) override;
};

}  // namespace turnpike::net
