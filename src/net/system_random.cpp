#include "net/system_random.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace turnpike::net {

namespace {

void fill_by_kernel(MutableBytes bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
    if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace

void SystemRandom::fill(MutableBytes bytes) {
  if (bytes.size() > kept_.size()) return fill_by_kernel(bytes);
  if (bytes.size() > left_) {
    left_ = 0;
    fill_by_kernel(kept_);
    left_ = kept_.size();
  }
  left_ -= bytes.size();
  const auto taken = MutableBytes(kept_).subspan(left_, bytes.size());
  std::ranges::copy(taken, bytes.begin());
  std::ranges::fill(taken, std::uint8_t{0});  // so that nobody finds in this memory what was given out
}

}  // namespace turnpike::net
