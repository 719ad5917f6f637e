#include "turnpike/crypto/base64.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "support/rfc_vectors.hpp"

namespace turnpike::crypto {
namespace {

using test::operator""_hex;
using test::to_hex;
using namespace std::string_view_literals;

TEST_CASE("base64 gives what RFC 4648 prints, and back", "[crypto]") {
  struct Case {
    std::string_view plain;
    std::string_view text;
  };
  const Case cases[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.plain);
    CHECK(base64_encode(as_bytes(c.plain)) == c.text);
    const auto decoded = base64_decode(c.text);
    REQUIRE(decoded);
    CHECK(as_text(*decoded) == c.plain);
  }
  CHECK(base64_encode("fbf0ff 00"_hex) == "+/D/AA==");
  CHECK(to_hex(*base64_decode("+/D/AA==")) == "fbf0ff00");
  CHECK(to_hex(*base64_decode("AAAA")) == "000000");
}

TEST_CASE("what base64_encode does not write is not decoded", "[crypto]") {
  const std::string_view cases[] = {
      "Z",    "Zg",       "Zg=",   "=",      "==",   "====",         "Zg===",    "A===",
      "Z===", "Zm9v ",    " Zm9v", "Zm9v\n", "Zm 9", "Zm9v    ",     "    Zm9v", "Zh==",
      "Zm9=", "Zg==Zg==", "Zm=v",  "=m9v",   "-_D_", "Zm9v\n\n\n\n", "Zm9\0"sv,  "Zm9vZg=\n",
      "....", "Zm9v====",
  };
  for (const std::string_view text : cases) {
    CAPTURE(text);
    CHECK_FALSE(base64_decode(text));
  }
}

TEST_CASE("base64url has its own alphabet and no padding", "[crypto]") {
  struct Case {
    std::string_view plain;
    std::string_view text;
  };
  const Case cases[] = {
      {"", ""},
      {"f", "Zg"},
      {"fo", "Zm8"},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg"},
      {"fooba", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy"},
      {"\x03\xec\xff\xe0\xc1"sv, "A-z_4ME"},  // RFC 7515 appendix C
      {"\xfb\xf0\xff\x00"sv, "-_D_AA"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.plain);
    CHECK(base64url_encode(as_bytes(c.plain)) == c.text);
    const auto decoded = base64url_decode(c.text);
    REQUIRE(decoded);
    CHECK(as_text(*decoded) == c.plain);
  }
}

TEST_CASE("every octet comes back from base64url", "[crypto]") {
  std::string octets;
  for (int i = 0; i < 256; ++i) {
    octets += static_cast<char>(i);
    const std::string text = base64url_encode(as_bytes(octets));
    CHECK(text.find_first_of("+/=") == std::string::npos);
    const auto decoded = base64url_decode(text);
    REQUIRE(decoded);
    CHECK(as_text(*decoded) == octets);
  }
}

TEST_CASE("what base64url_encode does not write is not decoded", "[crypto]") {
  const std::string_view cases[] = {
      "Z",          "Zm9vZ",   "Zg=",   "Zg==",   "=",     "Zm8=",     "+_D_",     "-/D_", "Zh",
      "Zm9",        "Zm9v ",   " Zm9v", "Zm9v\n", "Zm 9v", "Zm9v\r\n", "Zm9v.",    "Zm,v", "Zm9\0"sv,
      "Zm9vZg\0"sv, "Zm9\x80", "Zg\n",  "Zg\n\n", "    ",  " ",        "\n\n\n\n",
  };
  for (const std::string_view text : cases) {
    CAPTURE(text);
    CHECK_FALSE(base64url_decode(text));
  }
}

}  // namespace
}  // namespace turnpike::crypto
