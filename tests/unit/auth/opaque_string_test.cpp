#include "turnpike/auth/opaque_string.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace turnpike::auth {
namespace {

using namespace std::string_literals;

struct Prepared {
  std::string what;
  std::string text;
  std::optional<std::string> result;  // nothing: refused
};

void check(const std::vector<Prepared>& table) {
  for (const Prepared& row : table) {
    CAPTURE(row.what, row.text);
    CHECK(opaque_string(row.text) == row.result);
    if (row.result) CHECK(opaque_string(*row.result) == row.result);  // once is enough
  }
}

TEST_CASE("the examples of RFC 8265 section 4.3 are prepared as there", "[auth]") {
  check({
      {"12", "correct horse battery staple", "correct horse battery staple"},
      {"13: case is kept", "Correct Horse Battery Staple", "Correct Horse Battery Staple"},
      {"14: beyond ASCII", "πßå", "πßå"},
      {"15: a symbol", "Jack of ♦s", "Jack of ♦s"},
      {"16: a space of another script", "foo\u1680bar", "foo bar"},
      {"17: empty", "", std::nullopt},
      {"18: a control character", "my cat is a \tby", std::nullopt},
  });
}

TEST_CASE("the password of RFC 8489 B.1 is prepared as there", "[auth]") {
  check({
      {"as it is after preparation", "TheMatrIX", "TheMatrIX"},
      {"as it is printed: U+00AD can be ignored, so the profile refuses it", "The\u00ADM\u00AAtr\u2168",
       std::nullopt},
      {"compatibility forms stay: NFC and not NFKC", "M\u00AAtr\u2168", "M\u00AAtr\u2168"},
      {"its user name", "マトリックス", "マトリックス"},
  });
}

TEST_CASE("what two keyboards type differently is one string", "[auth]") {
  check({
      {"a combining accent is composed", "re\u0301sume\u0301", "r\u00E9sum\u00E9"},
      {"Angstrom", "\u212B", "\u00C5"},
      {"no-break space", "a\u00A0b", "a b"},
      {"ideographic space", "a\u3000b", "a b"},
      {"thin space", "a\u2009b", "a b"},
      {"full width stays", "\uFF21", "\uFF21"},
      {"spaces at the ends stay", " a ", " a "},
      {"beyond the basic plane", "\U0001F511", "\U0001F511"},
  });
}

TEST_CASE("characters outside the FreeformClass are refused", "[auth]") {
  check({
      {"NUL", "a\0b"s, std::nullopt},
      {"CR LF", "a\r\nb", std::nullopt},
      {"DEL", "a\x7F", std::nullopt},
      {"C1 control", "a\u0085", std::nullopt},
      {"line separator", "a\u2028b", std::nullopt},
      {"zero width space", "a\u200Bb", std::nullopt},
      {"byte order mark", "\uFEFFa", std::nullopt},
      {"right-to-left override", "a\u202Eb", std::nullopt},
      {"variation selector", "a\uFE0F", std::nullopt},
      {"private use", "\uE000", std::nullopt},
      {"not a character", "\uFFFE", std::nullopt},
      {"unassigned", "\u0378", std::nullopt},
      {"tag character", "\U000E0041", std::nullopt},
      {"old Hangul jamo", "\u1100", std::nullopt},
      {"Arabic tatweel", "\u0640", std::nullopt},
      {"stray continuation byte", "a\x80", std::nullopt},
      {"truncated sequence", "a\xC3", std::nullopt},
      {"overlong slash", "\xC0\xAF", std::nullopt},
      {"a surrogate", "\xED\xA0\x80", std::nullopt},
      {"above U+10FFFF", "\xF4\x90\x80\x80", std::nullopt},
      {"Latin-1", "caf\xE9", std::nullopt},
  });
}

TEST_CASE("some characters are allowed only beside certain others", "[auth]") {
  check({
      {"joiner behind a virama", "\u0915\u094D\u200D\u0937", "\u0915\u094D\u200D\u0937"},
      {"joiner elsewhere", "a\u200Db", std::nullopt},
      {"joiner alone", "\u200D", std::nullopt},
      {"non-joiner behind a virama", "\u0915\u094D\u200C\u0937", "\u0915\u094D\u200C\u0937"},
      {"non-joiner elsewhere", "a\u200Cb", std::nullopt},
      {"middle dot between two l", "col\u00B7lega", "col\u00B7lega"},
      {"middle dot elsewhere", "a\u00B7l", std::nullopt},
      {"middle dot at the end", "l\u00B7", std::nullopt},
      {"keraia before Greek", "\u0375\u03B1", "\u0375\u03B1"},
      {"keraia before Latin", "\u0375a", std::nullopt},
      {"geresh behind Hebrew", "\u05D0\u05F3", "\u05D0\u05F3"},
      {"gershayim behind Latin", "a\u05F4", std::nullopt},
      {"katakana middle dot with katakana", "ア\u30FBb", "ア\u30FBb"},
      {"katakana middle dot alone", "a\u30FBb", std::nullopt},
      {"Arabic-Indic digits", "\u0661\u0662", "\u0661\u0662"},
      {"two kinds of Arabic digits", "\u0661\u06F2", std::nullopt},
      {"and the other way", "\u06F2\u0661", std::nullopt},
  });
}

}  // namespace
}  // namespace turnpike::auth
