// System calls of the packet path.
#pragma once

#include <unistd.h>

namespace turnpike::net {

// The C library's wrappers of calls that may wait are cancellation points, which in a process with threads
// costs two atomic operations a call. Returns what the call does, or -1 with errno.
template <class... Arguments>
long system_call(long number, Arguments... arguments) {
  return syscall(number, arguments...);
}

}  // namespace turnpike::net
