#include "turnpike/base/printable.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "turnpike/base/text.hpp"

namespace turnpike {
namespace {

using namespace std::string_view_literals;

struct Sample {
  std::string_view text;
  std::string_view shown;
};

TEST_CASE("what controls a terminal becomes an escape, and names of people stay as they are", "[base]") {
  const Sample samples[] = {
      {"", ""},
      {"1700000000:ann", "1700000000:ann"},
      {"DOMAIN\\ann \"x\"", "DOMAIN\\ann \"x\""},
      {"J\u00f6rg \u0141ukasz \u738b\u5c0f\u660e \u05d3\u05d5\u05d3 \u0e1b\u0e35\u0e48 \U0001f600",
       "J\u00f6rg \u0141ukasz \u738b\u5c0f\u660e \u05d3\u05d5\u05d3 \u0e1b\u0e35\u0e48 \U0001f600"},
      {"\x1b[2J", "\\u{1b}[2J"},
      {"a\0b"sv, "a\\u{0}b"},
      {"a\r\nb\tc\x7f", "a\\u{d}\\u{a}b\\u{9}c\\u{7f}"},
      {"\xc2\x9b"
       "2J",
       "\\u{9b}2J"},                                  // CSI in UTF-8
      {"\x80 \x9b[2J \x9f", "\\x80 \\x9b[2J \\x9f"},  // C1 as octets
      {"\xc2\x85", "\\u{85}"},                        // NEL
      {"\u202a\u202b\u202c\u202d\u202e", "\\u{202a}\\u{202b}\\u{202c}\\u{202d}\\u{202e}"},
      {"\u2066\u2067\u2068\u2069", "\\u{2066}\\u{2067}\\u{2068}\\u{2069}"},
      {"\u200e\u200f\u061c", "\\u{200e}\\u{200f}\\u{61c}"},
      {"\u2028\u2029", "\\u{2028}\\u{2029}"},
      {"a\u200bb\u00adc\ufeff", "a\\u{200b}b\\u{ad}c\\u{feff}"},  // nothing is to be seen of these
      {"\u3164\u115f\ufe0f",
       "\\u{3164}\\u{115f}\\u{fe0f}"},       // nor of these, though they are letters or marks
      {"\u00a0\u3000", "\\u{a0}\\u{3000}"},  // spaces that are no space
      {"\ue000\U000e0041\uffff", "\\u{e000}\\u{e0041}\\u{ffff}"},
      {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // beyond the last
      {"\xc3", "\\xc3"},                             // cut short
      {"\xe2\x82", "\\xe2\\x82"},                    //
      {"\xff\xfe", "\\xff\\xfe"},
  };
  for (const Sample& sample : samples) {
    CAPTURE(sample.text);
    CHECK(printable(sample.text) == sample.shown);
    CHECK(printable(sample.shown) == sample.shown);
    CHECK(count_characters(printable(sample.text)).has_value());
  }
}

TEST_CASE("marks are drawn over a character of their own text, and not many of them", "[base]") {
  CHECK(printable("\u0301e\u0301") == "\\u{301}e\u0301");
  CHECK(printable("cafe\u0301 e\u0301") == "cafe\u0301 e\u0301");
  std::string tower = "x";
  for (int i = 0; i < 100; ++i) tower += "\u0335";
  const std::string shown = printable(tower);
  CHECK(shown.starts_with("x\u0335\u0335\u0335\u0335\\u{335}"));
  CHECK(count_characters(shown).value() == 5 + 96 * std::size("\\u{335}") - 96);
}

TEST_CASE("of single octets printable ASCII alone stays as it is", "[base]") {
  for (unsigned octet = 0; octet < 256; ++octet) {
    const std::string text(1, static_cast<char>(octet));
    CAPTURE(octet);
    const bool is_plain = octet >= ' ' && octet <= '~';
    CHECK((printable(text) == text) == is_plain);
    CHECK(columns_of(printable(text)) == printable(text).size());
  }
}

TEST_CASE("a caller may name more characters that become escapes", "[base]") {
  std::string_view text = "\"\\x";
  CHECK(take_printable(text, "\"\\") == "\\u{22}");
  CHECK(take_printable(text, "\"\\") == "\\u{5c}");
  CHECK(take_printable(text, "\"\\") == "x");
  CHECK(text.empty());
}

TEST_CASE("JSON keeps its meaning when its text goes to a terminal", "[base]") {
  const boost::json::value before{
      {"user", "\x1b[2J \xc2\x9b 2J \u202e \u2028 \U000e0041 \x7f \"\\ \u738b \U0001f600\n"},
      {"a\u0085", {1, true, nullptr}}};
  const std::string shown = printable_json(boost::json::serialize(before));
  CHECK(boost::json::parse(shown) == before);
  CHECK(printable(shown) == shown);
  CHECK_THAT(shown, Catch::Contains("\\u009b 2J \\u202e \\u2028 \\udb40\\udc41 \\u007f") &&
                        Catch::Contains("\u738b \U0001f600"));
  CHECK(boost::json::parse(printable_json("[\n  \"\xff\x9b\"\n]")) == boost::json::array{"\ufffd\ufffd"});
}

TEST_CASE("a text is as wide as a terminal draws it, and is cut at a character", "[base]") {
  CHECK(columns_of("abc") == 3);
  CHECK(columns_of("J\u00f6rg") == 4);
  CHECK(columns_of("\u738b\u5c0f\u660e") == 6);
  CHECK(columns_of("e\u0301") == 1);
  CHECK(columns_of("\U0001f600") == 2);
  CHECK(shortened("abcdef", 6) == "abcdef");
  CHECK(shortened("abcdef", 5) == "abcd\u2026");
  CHECK(shortened("abcdef", 1) == "\u2026");
  CHECK(shortened("abcdef", 0).empty());
  CHECK(shortened("", 0).empty());
  CHECK(shortened("\u738b\u5c0f\u660e", 6) == "\u738b\u5c0f\u660e");
  CHECK(shortened("\u738b\u5c0f\u660e", 5) == "\u738b\u5c0f\u2026");
  CHECK(shortened("\u738b\u5c0f\u660e", 4) == "\u738b\u2026");
  CHECK(shortened("e\u0301e\u0301e\u0301", 2) == "e\u0301\u2026");
  CHECK(shortened("ab\x1b[2J", 8) == "ab\u2026");  // an escape is not cut in two
}

}  // namespace
}  // namespace turnpike
