// Which part of a representation a Range header asks for (RFC 9110 §14). Only one range is ever answered: who
// asks for several gets the whole, as §14.2 allows.
#pragma once

#include <cstdint>
#include <string_view>

namespace turnpike::http {

struct ByteRange {
  enum class Kind : std::uint8_t {
    whole,          // no range, or one that is to be ignored: all of it, with 200
    part,           // `size` octets from `start` on, with 206
    unsatisfiable,  // 416
  };
  Kind kind = Kind::whole;
  std::uint64_t start = 0;
  std::uint64_t size = 0;  // at least 1 for a part

  bool operator==(const ByteRange&) const = default;
};

// `range` is the value of the header, `size` how long the representation is.
ByteRange choose_range(std::string_view range, std::uint64_t size);

}  // namespace turnpike::http
