// How many descriptors this process has open.
#pragma once

#include <cstddef>

namespace turnpike::admin {

// Takes a moment: Linux has told the number since version 6.2, and in earlier versions each descriptor is
// asked for, which takes three milliseconds for 10,000 of them.
std::size_t open_descriptors();

// The number that is found by asking for each.
std::size_t count_descriptors();

}  // namespace turnpike::admin
