#include "config/prefix.hpp"

#include <catch2/catch.hpp>

namespace turnpike::config {
namespace {

TEST_CASE("a prefix is read and written", "[config]") {
  struct Case {
    std::string_view text;
    std::string_view written;  // empty: refused
    std::string_view clean;    // without host bits
  };
  const Case cases[] = {
      {"10.20.0.0/16", "10.20.0.0/16", "10.20.0.0/16"},
      {"10.20.255.1/17", "10.20.255.1/17", "10.20.128.0/17"},
      {"0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"},
      {"1.2.3.4/0", "1.2.3.4/0", "0.0.0.0/0"},
      {"1.2.3.4", "1.2.3.4/32", "1.2.3.4/32"},
      {"2001:db8::1", "2001:db8::1/128", "2001:db8::1/128"},
      {"2001:db8:ffff::/33", "2001:db8:ffff::/33", "2001:db8:8000::/33"},
      {"::/0", "::/0", "::/0"},
      {"10.0.0.0/33", "", ""},
      {"::/129", "", ""},
      {"10.0.0.0/", "", ""},
      {"10.0.0.0/08", "", ""},
      {"10.0.0.0/255.0.0.0", "", ""},
      {"10.0.0/24", "", ""},
      {"[::1]/128", "", ""},
      {"example.org", "", ""},
      {"", "", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const std::optional<Prefix> prefix = parse_prefix(c.text);
    REQUIRE(prefix.has_value() == !c.written.empty());
    if (!prefix) continue;
    CHECK(to_string(*prefix) == c.written);
    CHECK(to_string(without_host_bits(*prefix)) == c.clean);
  }
}

TEST_CASE("a prefix contains what is longer and begins alike", "[config]") {
  const auto within = [](std::string_view inner, std::string_view outer) {
    return contains(*parse_prefix(outer), *parse_prefix(inner));
  };
  CHECK(within("10.0.0.0/8", "10.0.0.0/8"));
  CHECK(within("10.1.0.0/16", "10.0.0.0/8"));
  CHECK(within("10.0.0.0/8", "0.0.0.0/0"));
  CHECK_FALSE(within("10.0.0.0/8", "10.0.0.0/9"));
  CHECK_FALSE(within("11.0.0.0/8", "10.0.0.0/8"));
  CHECK_FALSE(within("0.0.0.0/0", "::/0"));
}

TEST_CASE("a host address is unicast, not mapped, and needs no interface", "[config]") {
  for (const std::string_view text :
       {"127.0.0.1", "10.0.0.1", "169.254.1.1", "::1", "2001:db8::1", "fd00::1"}) {
    CAPTURE(text);
    CHECK(is_host_address(*IpAddress::parse(text)));
  }
  for (const std::string_view text :
       {"0.0.0.0", "::", "224.0.0.1", "ff02::1", "fe80::1", "::ffff:10.0.0.1"}) {
    CAPTURE(text);
    CHECK_FALSE(is_host_address(*IpAddress::parse(text)));
  }
}

}  // namespace
}  // namespace turnpike::config
