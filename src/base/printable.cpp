#include "turnpike/base/printable.hpp"

#include <unictype.h>
#include <unistr.h>
#include <uniwidth.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "turnpike/base/bytes.hpp"

namespace turnpike {
namespace {

constexpr const char* kEncoding = "UTF-8";
// The most marks of one character. Texts need at most three; with a hundred, they would cover the lines
// above.
constexpr int kMaxMarks = 4;

// The first character of a text, or one octet without a character when the text does not begin with one.
struct Front {
  std::string_view octets;
  ucs4_t character = 0;
  bool is_character = false;
};

Front front_of(std::string_view text) {
  Front front;
  const int size = u8_mbtoucr(&front.character, as_bytes(text).data(), text.size());
  front.is_character = size > 0;
  front.octets = text.substr(0, front.is_character ? static_cast<std::size_t>(size) : 1);
  return front;
}

bool is_plain_ascii(char c) { return c >= ' ' && c <= '~'; }

bool is_harmless(ucs4_t c) {
  if (c < 0x80) return is_plain_ascii(static_cast<char>(c));
  return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N |
                                                 UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_S) &&
         !uc_is_property_default_ignorable_code_point(c);
}

bool is_mark(const Front& front) {
  return front.is_character && is_harmless(front.character) && uc_width(front.character, kEncoding) == 0;
}

std::string hex(std::uint32_t number, std::size_t digits) {
  std::array<char, 8> text{};
  char* const end = std::to_chars(text.data(), text.data() + text.size(), number, 16).ptr;
  const std::string written(text.data(), end);
  return std::string(written.size() < digits ? digits - written.size() : 0, '0') + written;
}

std::string json_escape(ucs4_t c) {
  if (c < 0x10000) return "\\u" + hex(c, 4);
  const ucs4_t above = c - 0x10000;  // a surrogate pair, RFC 8259 §7
  return "\\u" + hex(0xd800 + (above >> 10), 4) + "\\u" + hex(0xdc00 + (above & 0x3ff), 4);
}

}  // namespace

std::string take_printable(std::string_view& text, std::string_view also) {
  const Front front = front_of(text);
  text.remove_prefix(front.octets.size());
  if (!front.is_character) return "\\x" + hex(static_cast<unsigned char>(front.octets.front()), 2);
  if (!is_harmless(front.character) || is_mark(front) || also.find(front.octets) != std::string_view::npos)
    return "\\u{" + hex(front.character, 1) + '}';
  std::string result(front.octets);
  for (int marks = 0; marks < kMaxMarks && !text.empty(); ++marks) {
    const Front next = front_of(text);
    if (!is_mark(next)) break;
    result += next.octets;
    text.remove_prefix(next.octets.size());
  }
  return result;
}

void put_printable(std::string_view text, const PutPart& put) {
  while (!text.empty()) {
    // Nearly all texts are ASCII. The last character of a run of ASCII may have marks, so it is not copied
    // here.
    const auto run = std::ranges::find_if_not(text, is_plain_ascii) - text.begin();
    const auto alone = static_cast<std::size_t>(std::max<std::ptrdiff_t>(run - 1, 0));
    put(text.substr(0, alone));
    text.remove_prefix(alone);
    put(take_printable(text));
  }
}

void put_printable_json(std::string_view json, const PutPart& put) {
  while (!json.empty()) {
    const Front front = front_of(json);
    json.remove_prefix(front.octets.size());
    if (!front.is_character) {
      put("\\ufffd");
    } else if (front.character < ' ') {
      put(" ");  // only outside strings, since JSON escapes it in strings
    } else if (is_harmless(front.character)) {
      put(front.octets);
    } else {
      put(json_escape(front.character));
    }
  }
}

std::string printable(std::string_view text) {
  std::string result;
  put_printable(text, [&result](std::string_view part) { result += part; });
  return result;
}

std::string printable_json(std::string_view json) {
  std::string result;
  put_printable_json(json, [&result](std::string_view part) { result += part; });
  return result;
}

std::size_t columns_of(std::string_view printable) {
  return static_cast<std::size_t>(u8_width(as_bytes(printable).data(), printable.size(), kEncoding));
}

std::string shortened(std::string_view text, std::size_t columns) {
  std::string whole = printable(text);
  if (columns_of(whole) <= columns) return whole;
  std::string result;
  if (columns == 0) return result;
  for (std::size_t used = 0; !text.empty();) {
    const std::string next = take_printable(text);
    used += columns_of(next);
    if (used >= columns) break;
    result += next;
  }
  return result + "…";
}

}  // namespace turnpike
