// System calls of the packet path.
#pragma once

#include <unistd.h>

namespace turnpike::net {

// Calls the kernel directly. The C library's wrappers of blocking calls are cancellation points, which cost
// two atomic operations for each call in a process with threads. Returns the result of the call, or -1 with
// errno.
template <class... Arguments>
long system_call(long number, Arguments... arguments) {
  return syscall(number, arguments...);
}

}  // namespace turnpike::net
