#include "turnpike/base/endpoint.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "support/rfc_vectors.hpp"
#include "turnpike/base/keyed_hash.hpp"

namespace turnpike {
namespace {

using test::operator""_hex;
using test::to_hex;
using namespace std::string_view_literals;

IpAddress ip(std::string_view text) {
  const std::optional<IpAddress> address = IpAddress::parse(text);
  REQUIRE(address);
  return *address;
}

TEST_CASE("an address is read and written", "[base]") {
  struct Case {
    std::string_view text;
    Family family;
    std::string_view octets;
    std::string_view written;
  };
  const Case cases[] = {
      {"0.0.0.0", Family::ipv4, "00000000", "0.0.0.0"},
      {"192.0.2.1", Family::ipv4, "c0000201", "192.0.2.1"},
      {"255.255.255.255", Family::ipv4, "ffffffff", "255.255.255.255"},
      {"::", Family::ipv6, "00000000000000000000000000000000", "::"},
      {"::1", Family::ipv6, "00000000000000000000000000000001", "::1"},
      {"2001:DB8:0:0:0:0:0:1", Family::ipv6, "20010db8000000000000000000000001", "2001:db8::1"},
      {"::ffff:192.0.2.1", Family::ipv6, "00000000000000000000ffffc0000201", "::ffff:192.0.2.1"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Family::ipv6, "ffffffffffffffffffffffffffffffff",
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const IpAddress address = ip(c.text);
    CHECK(address.family() == c.family);
    CHECK(address.is_v4() == (c.family == Family::ipv4));
    CHECK(to_hex(address.bytes()) == c.octets);
    CHECK(address.to_string() == c.written);
    CHECK(IpAddress::from_bytes(c.family, address.bytes()) == address);
    CHECK(ip(address.to_string()) == address);
  }
}

TEST_CASE("what is no address is not read as one", "[base]") {
  const std::string_view cases[] = {
      "",
      " ",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.256",
      "1.2.3.-4",
      "0x7f.0.0.1",
      " 1.2.3.4",
      "1.2.3.4 ",
      "127.1",
      "2130706433",
      "localhost",
      "[::1]",
      "fe80::1%eth0",
      "1::2::3",
      "12345::",
      "1:2:3:4:5",
      "::ffff:1.2.3",
      "1.2.3.4\0"sv,
      "::1\0"sv,
      "1.2.3.4\0.5"sv,
      "\0"
      "1.2.3.4"sv,
  };
  for (const std::string_view text : cases) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
}

TEST_CASE("an IPv4 address keeps twelve zeros behind it", "[base]") {
  CHECK(IpAddress() == ip("0.0.0.0"));
  CHECK(IpAddress::v4(0xC0000201) == ip("192.0.2.1"));
  CHECK(IpAddress::v4({192, 0, 2, 1}) == ip("192.0.2.1"));
  CHECK(to_hex(ip("192.0.2.1").storage()) == "c0000201000000000000000000000000");
  CHECK(to_hex(IpAddress::from_bytes(Family::ipv4, "ffffffffffffffff"_hex).storage()) ==
        "ffffffff000000000000000000000000");
}

TEST_CASE("the same octets in another family are another address", "[base]") {
  CHECK(ip("0.0.0.0") != ip("::"));
  CHECK(ip("192.0.2.1") != ip("c000:201::"));
  CHECK(ip("192.0.2.1") != ip("::ffff:192.0.2.1"));
  const KeyedHash hash(HashKey{1, 2});
  CHECK(hash(ip("0.0.0.0")) != hash(ip("::")));
  CHECK(hash(ip("192.0.2.1")) != hash(ip("c000:201::")));
}

TEST_CASE("addresses are told apart by their prefixes", "[base]") {
  struct Case {
    std::string_view text;
    std::string_view kinds;  // u: unspecified, l: loopback, k: link-local, m: multicast
  };
  const Case cases[] = {
      {"0.0.0.0", "u"},
      {"::", "u"},
      {"0.0.0.1", ""},
      {"127.0.0.1", "l"},
      {"127.255.255.255", "l"},
      {"126.255.255.255", ""},
      {"128.0.0.0", ""},
      {"::1", "l"},
      {"::2", ""},
      {"1::1", ""},
      {"7f00::1", ""},
      {"::ffff:127.0.0.1", ""},
      {"169.253.255.255", ""},
      {"169.254.0.0", "k"},
      {"169.254.255.255", "k"},
      {"169.255.0.0", ""},
      {"fe7f:ffff::", ""},
      {"fe80::", "k"},
      {"febf:ffff::1", "k"},
      {"fec0::", ""},
      {"223.255.255.255", ""},
      {"224.0.0.0", "m"},
      {"239.255.255.255", "m"},
      {"240.0.0.0", ""},
      {"feff::", ""},
      {"ff00::", "m"},
      {"ff02::1", "m"},
      {"192.0.2.1", ""},
      {"2001:db8::1", ""},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const IpAddress address = ip(c.text);
    std::string kinds;
    if (address.is_unspecified()) kinds += 'u';
    if (address.is_loopback()) kinds += 'l';
    if (address.is_link_local()) kinds += 'k';
    if (address.is_multicast()) kinds += 'm';
    CHECK(kinds == c.kinds);
  }
}

TEST_CASE("an endpoint is read and written", "[base]") {
  struct Case {
    std::string_view text;
    std::string_view address;
    std::uint16_t port;
    std::string_view written;
  };
  const Case cases[] = {
      {"192.0.2.1:3478", "192.0.2.1", 3478, "192.0.2.1:3478"},
      {"0.0.0.0:0", "0.0.0.0", 0, "0.0.0.0:0"},
      {"[2001:DB8::1]:65535", "2001:db8::1", 65535, "[2001:db8::1]:65535"},
      {"[::]:1", "::", 1, "[::]:1"},
      {"[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", 80, "[::ffff:1.2.3.4]:80"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const std::optional<Endpoint> endpoint = Endpoint::parse(c.text);
    REQUIRE(endpoint);
    CHECK(endpoint->address == ip(c.address));
    CHECK(endpoint->family() == ip(c.address).family());
    CHECK(endpoint->port == c.port);
    CHECK(endpoint->scope == 0);
    CHECK(endpoint->to_string() == c.written);
    CHECK(Endpoint::parse(c.written) == endpoint);
  }
}

TEST_CASE("what is no endpoint is not read as one", "[base]") {
  const std::string_view cases[] = {
      "",
      ":",
      ":3478",
      "1.2.3.4",
      "1.2.3.4:",
      "1.2.3.4:65536",
      "1.2.3.4:-1",
      "1.2.3.4:+1",
      "1.2.3.4: 1",
      "1.2.3.4:1 ",
      "1.2.3.4:0x1",
      "1.2.3.4:http",
      "[1.2.3.4]:1",
      "::1:80",
      "[::1]",
      "[::1]:",
      "[::1:80",
      "::1]:80",
      "[]:80",
      "[",
      "[]",
      "[[::1]]:80",
      "1.2.3.4\0:80"sv,
      "1.2.3.4:80\0"sv,
  };
  for (const std::string_view text : cases) {
    CAPTURE(text);
    CHECK_FALSE(Endpoint::parse(text));
  }
}

TEST_CASE("every part of an endpoint and of a 5-tuple counts", "[base]") {
  const Endpoint a = *Endpoint::parse("[fe80::1]:3478");
  Endpoint scoped = a;
  scoped.scope = 2;
  const std::vector<Endpoint> endpoints = {a, scoped, *Endpoint::parse("[fe80::1]:3479"),
                                           *Endpoint::parse("[fe80::2]:3478")};
  const std::vector<FiveTuple> tuples = {
      {endpoints[0], endpoints[1], Transport::udp, PathId{0}},
      {endpoints[1], endpoints[0], Transport::udp, PathId{0}},
      {endpoints[2], endpoints[1], Transport::udp, PathId{0}},
      {endpoints[0], endpoints[3], Transport::udp, PathId{0}},
      {endpoints[0], endpoints[1], Transport::dtls, PathId{0}},
      {endpoints[0], endpoints[1], Transport::tcp, PathId{1}},
      {endpoints[0], endpoints[1], Transport::tcp, PathId{2}},
  };
  const KeyedHash hash(HashKey{1, 2});
  const auto expect_all_different = [&](const auto& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::size_t j = 0; j < values.size(); ++j) {
        CAPTURE(i, j);
        CHECK((values[i] == values[j]) == (i == j));
        CHECK((hash(values[i]) == hash(values[j])) == (i == j));
      }
    }
  };
  expect_all_different(endpoints);
  expect_all_different(tuples);
  CHECK(std::is_sorted(endpoints.begin(), endpoints.end()) == (a < scoped));
  CHECK(a < endpoints[3]);
}

TEST_CASE("a transport has a name", "[base]") {
  CHECK(to_string(Transport::udp) == "udp");
  CHECK(to_string(Transport::tcp) == "tcp");
  CHECK(to_string(Transport::tls) == "tls");
  CHECK(to_string(Transport::dtls) == "dtls");
}

TEST_CASE("the list of transports has each of them at its value", "[base]") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kTransports.size(); ++i) {
    CHECK(static_cast<std::size_t>(kTransports[i]) == i);
    CHECK(names.insert(to_string(kTransports[i])).second);
  }
  CHECK_FALSE(names.contains("unknown"));
  CHECK(to_string(static_cast<Transport>(kTransports.size())) == "unknown");
}

TEST_CASE("only the address of a client by plain UDP may be forged", "[base]") {
  for (const Transport transport : kTransports) {
    CAPTURE(to_string(transport));
    CHECK(proves_address(transport) == (transport != Transport::udp));
  }
}

}  // namespace
}  // namespace turnpike
