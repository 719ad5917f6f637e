// What a fuzz target claims. It holds in every build type, and libFuzzer keeps the input that breaks it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "turnpike/base/bytes.hpp"

namespace turnpike::fuzz {

inline void expect(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", claim);
  std::abort();
}

// Compares addresses as if all memory were one array.
inline bool lies_inside(Bytes part, Bytes whole) {
  const std::less_equal<const std::uint8_t*> before;
  return before(whole.data(), part.data()) && before(part.data() + part.size(), whole.data() + whole.size());
}

inline bool same(Bytes a, Bytes b) { return as_text(a) == as_text(b); }

}  // namespace turnpike::fuzz
