#include "turnpike/base/text.hpp"

#include <algorithm>

#include "turnpike/base/endpoint.hpp"

namespace turnpike {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

// The number of bytes of the character that starts with `lead`; 0 when no character does.
std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >> 5 == 0x6) return 2;
  if (lead >> 4 == 0xe) return 3;
  return lead >> 3 == 0x1e ? 4 : 0;
}

// Removes one character from the front of `text`. Nothing when it is ill-formed, overlong or a surrogate.
std::optional<char32_t> take_character(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = sequence_length(lead);
  if (length == 0 || length > text.size()) return std::nullopt;

  char32_t character = length == 1 ? lead : lead & (0x7fU >> length);
  for (const char c : text.substr(1, length - 1)) {
    if (!is_continuation(c)) return std::nullopt;
    character = character << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  }
  constexpr char32_t kMin[] = {0, 0x80, 0x800, 0x10000};
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < kMin[length - 1] || character > 0x10ffff || surrogate) return std::nullopt;
  text.remove_prefix(length);
  return character;
}

}  // namespace

std::optional<std::size_t> count_characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) {
    const std::optional<char32_t> character = take_character(text);
    if (!character || is_control(*character)) return std::nullopt;
  }
  return count;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (!take_character(text)) return false;
  }
  return true;
}

bool is_host(std::string_view text) {
  constexpr std::size_t kMaxDnsName = 253;  // as text, RFC 1035 §2.3.4
  if (IpAddress::parse(text)) return true;
  return !text.empty() && text.size() <= kMaxDnsName && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

}  // namespace turnpike
