// Chooses the part of a representation that a Range header asks for (RFC 9110 §14). A request for several
// ranges gets the whole representation, as §14.2 allows.
#pragma once

#include <cstdint>
#include <string_view>

namespace turnpike::http {

struct ByteRange {
  enum class Kind : std::uint8_t {
    whole,          // no range, or one that is ignored: send all, with status 200
    part,           // send `size` octets from offset `start`, with status 206
    unsatisfiable,  // answer 416
  };
  Kind kind = Kind::whole;
  std::uint64_t start = 0;
  std::uint64_t size = 0;  // at least 1 when kind is part

  bool operator==(const ByteRange&) const = default;
};

// `range` is the value of the header, `size` the length of the representation in octets.
ByteRange choose_range(std::string_view range, std::uint64_t size);

}  // namespace turnpike::http
