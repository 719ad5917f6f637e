// Reads a fuzzer's octets as decisions. After their end every decision is the first one, so each prefix of an
// input has a meaning.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "turnpike/base/bytes.hpp"

namespace turnpike::fuzz {

class Input {
 public:
  explicit Input(Bytes bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  Bytes rest() const { return rest_; }

  std::uint8_t u8() {
    const Bytes b = take(1);
    return b.empty() ? std::uint8_t{0} : b[0];
  }
  std::uint16_t u16() {
    const std::uint8_t high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }

  // Returns one of `count`, or of a table.
  std::size_t pick(std::size_t count) { return u8() % count; }
  template <class T, std::size_t N>
  const T& pick(const T (&table)[N]) {
    return table[pick(N)];
  }

  // Takes at most `count` octets. The result views the input.
  Bytes take(std::size_t count) {
    const Bytes taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::string_view text(std::size_t count) { return as_text(take(count)); }

 private:
  Bytes rest_;
};

// The first line, without its end; it is removed from `text`.
inline std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace turnpike::fuzz
