#include "turnpike/auth/opaque_string.hpp"

#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace turnpike::auth {
namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

template <class T>
using Allocated = std::unique_ptr<T, Free>;

using CodePoints = std::vector<ucs4_t>;

bool in(ucs4_t c, ucs4_t first, ucs4_t last) { return c >= first && c <= last; }

bool has_script(ucs4_t c, const char* name) {
  const uc_script_t* script = uc_script(c);
  return script && std::strcmp(script->name, name) == 0;
}

// These are the exceptions of RFC 8264 §9.6 (RFC 5892 §2.6): code points that their categories alone would
// allow.
bool is_disallowed_exception(ucs4_t c) {
  return c == 0x0640 || c == 0x07FA || in(c, 0x302E, 0x302F) || in(c, 0x3031, 0x3035) || c == 0x303B;
}

bool is_old_hangul_jamo(ucs4_t c) {  // RFC 8264 §9.9
  return in(c, 0x1100, 0x11FF) || in(c, 0xA960, 0xA97C) || in(c, 0xD7B0, 0xD7FB);
}

bool is_contextual(ucs4_t c) {
  return in(c, 0x200C, 0x200D) || c == 0x00B7 || c == 0x0375 || in(c, 0x05F3, 0x05F4) || c == 0x30FB ||
         in(c, 0x0660, 0x0669) || in(c, 0x06F0, 0x06F9);
}

// Applies the contextual rules of RFC 5892, appendix A. A zero width non-joiner is allowed only after a
// virama. The rule for joining scripts is left out: it only changes how words look, and passwords do not need
// it.
bool context_allows(const CodePoints& text, std::size_t at) {
  const auto before = [&] { return at > 0 ? text[at - 1] : 0; };
  const auto after = [&] { return at + 1 < text.size() ? text[at + 1] : 0; };
  const auto none_in = [&](ucs4_t first, ucs4_t last) {
    return std::ranges::none_of(text, [&](ucs4_t c) { return in(c, first, last); });
  };
  switch (const ucs4_t c = text[at]) {
    case 0x200C:
    case 0x200D: return at > 0 && uc_combining_class(before()) == UC_CCC_VR;
    case 0x00B7: return before() == 'l' && after() == 'l';
    case 0x0375: return has_script(after(), "Greek");
    case 0x05F3:
    case 0x05F4: return has_script(before(), "Hebrew");
    case 0x30FB:
      return std::ranges::any_of(text, [](ucs4_t other) {
        return has_script(other, "Hiragana") || has_script(other, "Katakana") || has_script(other, "Han");
      });
    default: return in(c, 0x0660, 0x0669) ? none_in(0x06F0, 0x06F9) : none_in(0x0660, 0x0669);
  }
}

// Applies RFC 8264 §8 with the FreeformClass of §4.3: letters, marks, numbers, symbols, punctuation and
// spaces.
bool freeform_allows(const CodePoints& text, std::size_t at) {
  const ucs4_t c = text[at];
  if (is_disallowed_exception(c) || is_old_hangul_jamo(c)) return false;
  if (is_contextual(c)) return context_allows(text, at);
  if (uc_is_property_default_ignorable_code_point(c) || uc_is_property_not_a_character(c)) return false;
  return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N |
                                                 UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_P |
                                                 UC_CATEGORY_MASK_Zs);
}

std::optional<CodePoints> decode(std::string_view text) {
  std::size_t size = 0;
  const Allocated<std::uint32_t> decoded(
      u8_to_u32(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), nullptr, &size));
  if (!decoded) return std::nullopt;
  return CodePoints(decoded.get(), decoded.get() + size);
}

std::optional<std::string> normalize_and_encode(const CodePoints& text) {
  std::size_t size = 0;
  const Allocated<std::uint32_t> composed(
      u32_normalize(UNINORM_NFC, text.data(), text.size(), nullptr, &size));
  if (!composed) return std::nullopt;
  std::size_t bytes = 0;
  const Allocated<std::uint8_t> encoded(u32_to_u8(composed.get(), size, nullptr, &bytes));
  if (!encoded) return std::nullopt;
  return std::string(encoded.get(), encoded.get() + bytes);
}

}  // namespace

std::optional<std::string> opaque_string(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::optional<CodePoints> decoded = decode(text);
  if (!decoded) return std::nullopt;
  for (std::size_t at = 0; at < decoded->size(); ++at) {
    if (!freeform_allows(*decoded, at)) return std::nullopt;
  }
  for (ucs4_t& c : *decoded) {
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs)) c = ' ';
  }
  return normalize_and_encode(*decoded);
}

}  // namespace turnpike::auth
