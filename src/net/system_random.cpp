#include "net/system_random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace turnpike::net {

void SystemRandom::fill(MutableBytes bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
    if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace turnpike::net
