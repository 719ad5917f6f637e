#include "turnpike/base/text.hpp"

#include <catch2/catch.hpp>

namespace turnpike {
namespace {

using namespace std::string_view_literals;

TEST_CASE("UTF-8 is counted by characters and taken strictly", "[base]") {
  struct Case {
    std::string_view text;
    std::optional<std::size_t> count;
  };
  const Case cases[] = {
      {"", 0},
      {"abc", 3},
      {"\u00e9\u20ac\U0001f600", 3},
      {"\xf4\x8f\xbf\xbf", 1},             // U+10FFFF
      {"\xf4\x90\x80\x80", std::nullopt},  // beyond
      {"\xc0\xaf", std::nullopt},          // overlong
      {"\xe0\x80\xaf", std::nullopt},      // overlong
      {"\xed\xa0\x80", std::nullopt},      // a surrogate
      {"\xc3", std::nullopt},              // cut short
      {"\xc3(", std::nullopt},             // no continuation
      {"\x80", std::nullopt},              // no lead
      {"\xff", std::nullopt},              // never
      {"a\nb", std::nullopt},              // C0
      {"a\0b"sv, std::nullopt},            //
      {"\x7f", std::nullopt},              // DEL
      {"\xc2\x85", std::nullopt},          // C1
      {"\xc2\xa0", 1},                     // the first after C1
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(count_characters(c.text) == c.count);
  }
}

}  // namespace
}  // namespace turnpike

TEST_CASE("a host is a DNS name or an address", "[base]") {
  for (const char* host :
       {"example.org", "turn-1.Example.ORG", "localhost", "192.0.2.1", "2001:db8::1", "::1"}) {
    CAPTURE(host);
    CHECK(turnpike::is_host(host));
  }
  CHECK(turnpike::is_host(std::string(253, 'a')));
  CHECK_FALSE(turnpike::is_host(std::string(254, 'a')));
  for (const char* other :
       {"", "a b", "a/b", "a:80", "[::1]", "user@host", "a\r\nb", "\xc3\xa9", "a\"b", "a_b"}) {
    CAPTURE(other);
    CHECK_FALSE(turnpike::is_host(other));
  }
}
