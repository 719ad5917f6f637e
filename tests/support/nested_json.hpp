// JSON that is nested deeply, as a stranger may send it.
#pragma once

#include <cstddef>
#include <string>

namespace turnpike::test {

// "[[[0]]]" for 3.
inline std::string nested_arrays(std::size_t depth) {
  return std::string(depth, '[') + "0" + std::string(depth, ']');
}

}  // namespace turnpike::test
