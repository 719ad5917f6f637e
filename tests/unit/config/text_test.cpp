#include "config/text.hpp"

#include <array>
#include <catch2/catch.hpp>

namespace turnpike::config {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

TEST_CASE("a text is shown on one line", "[config]") {
  CHECK(shown("udp://[::]:3478") == "udp://[::]:3478");
  CHECK(shown("gr\u00fc\u00df") == "gr\u00fc\u00df");
  CHECK(shown("a\r\n\xff") == "a\\u{d}\\u{a}\\xff");
  CHECK(shown("\u00e9\n") == "\u00e9\\u{a}");
  CHECK(shown("\u202eevil\xc2\x9b") == "\\u{202e}evil\\u{9b}");
  CHECK(shown(std::string(64, 'x')) == std::string(64, 'x'));
  CHECK(shown(std::string(65, 'x')) == std::string(64, 'x') + "...");
  CHECK(shown(std::string(63, 'x') + "\u20ac!") == std::string(63, 'x') + "\u20ac...");
}

TEST_CASE("numbers are plain decimal", "[config]") {
  CHECK(parse_number("0") == 0U);
  CHECK(parse_number("4294967295") == 4294967295U);
  for (const std::string_view text :
       {"", "-1", "+1", " 1", "1 ", "010", "0x10", "1_000", "1e3", "4294967296"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_number(text));
  }
}

TEST_CASE("a duration needs a unit", "[config]") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("600s") == 600s);
  CHECK(parse_duration("10m") == 10min);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("4294967295h") == std::chrono::hours(4294967295));
  for (const std::string_view text : {"", "600", "s", "1.5h", "-1s", "1h30m", "1 h", "1d", "1S"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("a size is in bytes, KiB or MiB", "[config]") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("212992") == 212'992);
  CHECK(parse_size("64KiB") == 65'536);
  CHECK(parse_size("1MiB") == 1'048'576);
  CHECK(parse_size("4095MiB") == 4'293'918'720);
  for (const std::string_view text :
       {"", "KiB", "1.5MiB", "-1", "1kB", "1K", "1 MiB", "1mib", "4096MiB", "1GiB"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_size(text));
  }
}

TEST_CASE("the nearest word is a likely misspelling or none", "[config]") {
  const std::vector<std::string> words = {"realm", "auth", "url", "allocations"};
  CHECK(nearest("relm", words) == "realm");
  CHECK(nearest("auht", words) == "auth");
  CHECK(nearest("uri", words) == "url");
  CHECK(nearest("ulr", words) == "url");
  CHECK(nearest("alocation", words) == "allocations");
  CHECK_FALSE(nearest("foo", words));
  CHECK_FALSE(nearest("database", words));
}

}  // namespace
}  // namespace turnpike::config
