// The kernel's random octets for tools and tests.
#pragma once

#include <sys/random.h>

#include <system_error>

#include "turnpike/crypto/random.hpp"

namespace turnpike::client {

class SystemRandom : public crypto::Random {
 public:
  // Throws std::system_error.
  void fill(MutableBytes bytes) override {
    while (!bytes.empty()) {
      const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
      if (got < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
      if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
  }
};

}  // namespace turnpike::client
