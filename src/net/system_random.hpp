// The kernel's generator.
#pragma once

#include "turnpike/crypto/random.hpp"

namespace turnpike::net {

class SystemRandom : public crypto::Random {
 public:
  // Throws std::system_error, which a machine that has started up gives no cause for.
  void fill(MutableBytes bytes) override;
};

}  // namespace turnpike::net
