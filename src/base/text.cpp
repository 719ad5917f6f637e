#include "turnpike/base/text.hpp"

#include <unictype.h>
#include <unistr.h>

#include <algorithm>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike {

std::optional<std::size_t> count_characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) {
    ucs4_t character = 0;
    const int size = u8_mbtoucr(&character, as_bytes(text).data(), text.size());
    if (size <= 0 || uc_is_general_category_withtable(character, UC_CATEGORY_MASK_Cc)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return count;
}

bool sets_direction(std::string_view text) {
  constexpr ucs4_t kFirstEmbedding = 0x202A;
  constexpr ucs4_t kLastOverride = 0x202E;
  constexpr ucs4_t kFirstIsolate = 0x2066;
  constexpr ucs4_t kLastIsolate = 0x2069;
  while (!text.empty()) {
    ucs4_t character = 0;
    const int size = u8_mbtoucr(&character, as_bytes(text).data(), text.size());
    if (size <= 0) return false;
    if (character >= kFirstEmbedding && character <= kLastOverride) return true;
    if (character >= kFirstIsolate && character <= kLastIsolate) return true;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return false;
}

bool is_utf8(std::string_view text) { return u8_check(as_bytes(text).data(), text.size()) == nullptr; }

bool is_host(std::string_view text) {
  constexpr std::size_t kMaxDnsName = 253;  // as text, RFC 1035 §2.3.4
  if (IpAddress::parse(text)) return true;
  return !text.empty() && text.size() <= kMaxDnsName && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

}  // namespace turnpike
