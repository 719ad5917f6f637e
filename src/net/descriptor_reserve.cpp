#include "net/descriptor_reserve.hpp"

#include <sys/resource.h>

#include <atomic>
#include <cerrno>
#include <optional>

namespace turnpike::net {
namespace {

std::atomic<rlim_t> descriptors_kept{0};

// The first number that is kept; nothing when the limit is too small to keep this many. The limit is read
// each time, since prlimit(1) can change that of a running process.
std::optional<rlim_t> first_kept(rlim_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || count > limit.rlim_cur / 4) return std::nullopt;
  return limit.rlim_cur - count;
}

}  // namespace

bool reserve_descriptors(unsigned count) {
  descriptors_kept = count;
  return first_kept(count).has_value();
}

bool is_reserved(int fd) {
  const rlim_t count = descriptors_kept.load(std::memory_order_relaxed);
  if (count == 0 || fd < 0) return false;
  const std::optional<rlim_t> first = first_kept(count);
  return first && static_cast<rlim_t>(fd) >= *first;
}

Fd unless_reserved(Fd fd) {
  if (!is_reserved(fd.get())) return fd;
  fd = Fd();
  errno = EMFILE;
  return fd;
}

}  // namespace turnpike::net
