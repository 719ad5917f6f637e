// An epoll set: which descriptors are waited for, and what is known of each when it is ready.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>

#include "net/fd.hpp"

namespace turnpike::net {

// Belongs to one thread. The kernel removes a descriptor from the set when it is closed.
class Epoll {
 public:
  // Throws std::system_error.
  Epoll();

  // Waits for `events` (EPOLLIN and others) of the descriptor; each report carries `tag`. Errors and the end
  // of a connection are reported always. Returns false when the kernel refuses; errno then says why.
  bool add(int fd, std::uint64_t tag, std::uint32_t events);
  // Changes what is waited for, and the tag. Returns false when the kernel refuses.
  bool modify(int fd, std::uint64_t tag, std::uint32_t events);
  // Returns false when the descriptor is not in the set.
  bool remove(int fd);

  // Waits until something is ready, for at most `timeout_ms`; -1 waits without an end, and 0 does not wait.
  // Returns the part of `events` that was filled, which is empty when a signal has come.
  std::span<const epoll_event> wait(std::span<epoll_event> events, int timeout_ms) const;

  // The descriptor of the set itself, which is ready while anything in the set is.
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

}  // namespace turnpike::net
