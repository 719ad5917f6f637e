// Descriptors that strangers cannot use up. The last ones below the process's limit (RLIMIT_NOFILE) are kept
// for what operators do: the admin listener has to answer, and a reload has to read files, when clients have
// taken all others. The kernel always gives the lowest free number, so a stranger's descriptor with one of
// the last numbers means that all others are in use.
#pragma once

#include "net/fd.hpp"

namespace turnpike::net {

// Keeps this many descriptors of the process from now on; 0, as at the start, keeps none. Returns false when
// that is more than a quarter of the present limit. Then none are kept until the limit is raised.
bool reserve_descriptors(unsigned count);

// Whether a descriptor is one of those that are kept. False for -1; errno stays as it is.
bool is_reserved(int fd);

// For each descriptor that a stranger causes. One of those that are kept is closed at once, and the result is
// none, with EMFILE in errno, as if the limit had been reached.
Fd unless_reserved(Fd fd);

}  // namespace turnpike::net
