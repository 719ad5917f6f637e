#include "net/proxy_header.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace turnpike::net {
namespace {

using namespace std::string_literals;

const std::string kMark = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string kV4 =
    "\xC6\x33\x64\x07\xCB\x00\x71\x09\xD9\x03\x0D\x96"s;  // 198.51.100.7:55555 → 203.0.113.9:3478

// Returns a header of version 2 with this command, family and content.
std::string binary(char command, char family, const std::string& content) {
  return kMark + command + family + static_cast<char>(content.size() >> 8) +
         static_cast<char>(content.size()) + content;
}

ProxyHeader parse(const std::string& text) { return parse_proxy_header(as_bytes(text)); }

// Returns the client that the header names, or "local", "invalid" or "incomplete".
std::string verdict(const std::string& text) {
  const ProxyHeader header = parse(text);
  switch (header.kind) {
    case ProxyHeader::Kind::incomplete: return "incomplete";
    case ProxyHeader::Kind::local: return "local";
    case ProxyHeader::Kind::invalid: return "invalid";
    case ProxyHeader::Kind::proxied: break;
  }
  return header.client.to_string();
}

// Checks that every beginning of the header is incomplete, and that data after it changes nothing.
void check_whole(const std::string& header, const std::string& expected) {
  CAPTURE(header);
  for (std::size_t size = 0; size < header.size(); ++size) {
    REQUIRE(parse(header.substr(0, size)).kind == ProxyHeader::Kind::incomplete);
  }
  CHECK(verdict(header) == expected);
  CHECK(parse(header).size == header.size());
  for (const std::string& more : {"\0\1\0\0"s, "PROXY TCP4\r\n"s, std::string(5000, 'x')}) {
    CHECK(verdict(header + more) == expected);
    CHECK(parse(header + more).size == header.size());
  }
}

TEST_CASE("a header of the PROXY protocol, version 1, is read", "[proxy]") {
  check_whole("PROXY TCP4 198.51.100.7 203.0.113.9 55555 3478\r\n", "198.51.100.7:55555");
  check_whole("PROXY TCP6 2001:db8::7 2001:db8::9 1 65535\r\n", "[2001:db8::7]:1");
  check_whole("PROXY TCP6 ::ffff:198.51.100.7 ::ffff:203.0.113.9 55555 3478\r\n", "198.51.100.7:55555");
  check_whole("PROXY TCP4 255.255.255.255 255.255.255.255 0 0\r\n", "255.255.255.255:0");
  check_whole("PROXY UNKNOWN\r\n", "local");
  check_whole("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "local");
  check_whole(
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
      "65535\r\n",
      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
  check_whole("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n", "local");  // 107 characters
}

TEST_CASE("a malformed header of version 1 is refused", "[proxy]") {
  for (const std::string header : {
           "PROXY TCP4 198.51.100.7 203.0.113.9 55555 3478\n",
           "PROXY TCP4 198.51.100.7 203.0.113.9 55555 3478 \r\n",
           "PROXY TCP4  198.51.100.7 203.0.113.9 55555 3478\r\n",
           "PROXY TCP4 198.51.100.7 203.0.113.9 55555\r\n",
           "PROXY TCP4 198.51.100.7 203.0.113.9 65536 3478\r\n",
           "PROXY TCP4 198.51.100.7 203.0.113.9 055 3478\r\n",
           "PROXY TCP4 198.51.100.7 203.0.113.9 -1 3478\r\n",
           "PROXY TCP4 198.51.100.7 203.0.113.9 1 +3478\r\n",
           "PROXY TCP4 198.51.100 203.0.113.9 1 2\r\n",
           "PROXY TCP4 2001:db8::7 2001:db8::9 1 2\r\n",
           "PROXY TCP6 198.51.100.7 203.0.113.9 1 2\r\n",
           "PROXY TCP4 198.51.100.7 2001:db8::9 1 2\r\n",
           "PROXY UDP4 198.51.100.7 203.0.113.9 1 2\r\n",
           "PROXY unknown\r\n",
           "PROXY \r\n",
           "PROXY \n",
           "PROXY\r\n",
           "PROXY TCP4 198.51.100.7 203.0.113.9 1 2\n\r\n",
           "proxy UNKNOWN\r\n",
           "GET / HTTP/1.1\r\n",
           "P\r\n",
       }) {
    CAPTURE(header);
    CHECK(verdict(header) == "invalid");
  }
  CHECK(verdict("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n") == "invalid");  // 108 characters
  CHECK(verdict("PROXY UNKNOWN " + std::string(93, 'x')) == "invalid");           // and no end yet
  CHECK(verdict("PROXY UNKNOWN " + std::string(92, 'x')) == "incomplete");
}

TEST_CASE("a header of the PROXY protocol, version 2, is read", "[proxy]") {
  check_whole(binary(0x21, 0x11, kV4), "198.51.100.7:55555");
  const std::string v6 =
      "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x07"s + std::string(16, '\0') + "\x12\x34\x0D\x96"s;
  check_whole(binary(0x21, 0x21, v6), "[2001:db8::7]:4660");
  const std::string mapped =
      std::string(10, '\0') + "\xFF\xFF\xC6\x33\x64\x07"s + std::string(16, '\0') + "\x12\x34\x0D\x96"s;
  check_whole(binary(0x21, 0x21, mapped), "198.51.100.7:4660");

  // Optional fields are skipped, up to the greatest length.
  check_whole(binary(0x21, 0x11, kV4 + "\x04\x00\x03xyz"s), "198.51.100.7:55555");
  check_whole(binary(0x21, 0x11, kV4 + std::string(4096 - 12, 'x')), "198.51.100.7:55555");

  check_whole(binary(0x20, 0x00, ""), "local");
  check_whole(binary(0x20, 0x11, kV4), "local");
  check_whole(binary(0x20, 0x7F, "more"), "local");  // of LOCAL nothing else counts
  check_whole(binary(0x21, 0x00, "more"), "local");
  check_whole(binary(0x21, 0x31, std::string(216, 'x')), "local");
}

TEST_CASE("a malformed header of version 2 is refused", "[proxy]") {
  CHECK(verdict(binary(0x11, 0x11, kV4)) == "invalid");
  CHECK(verdict(binary(0x31, 0x11, kV4)) == "invalid");
  CHECK(verdict(binary(0x22, 0x11, kV4)) == "invalid");
  CHECK(verdict(binary(0x2F, 0x11, kV4)) == "invalid");
  for (const char family : {0x10, 0x12, 0x13, 0x01, 0x20, 0x22, 0x40, 0x41}) {
    CHECK(verdict(binary(0x21, family, kV4)) == "invalid");
  }
  CHECK(verdict(binary(0x21, 0x11, kV4.substr(1))) == "invalid");
  CHECK(verdict(binary(0x21, 0x21, std::string(35, 'x'))) == "invalid");
  CHECK(verdict(binary(0x21, 0x11, "")) == "invalid");
  // A header that is too long is invalid as soon as its length has arrived.
  CHECK(verdict(kMark + "\x21\x11\x10\x01"s) == "invalid");
  CHECK(verdict(kMark + "\x20\x00\xFF\xFF"s) == "invalid");
  // A signature that is wrong is invalid at its first wrong octet.
  for (std::size_t i = 0; i < kMark.size(); ++i) {
    std::string broken = kMark.substr(0, i + 1);
    broken[i] = static_cast<char>(broken[i] ^ 1);
    CHECK(verdict(broken) == "invalid");
  }
  CHECK(verdict(std::string(1, '\x16')) == "invalid");
  CHECK(verdict(std::string(1, '\0')) == "invalid");
}

TEST_CASE("a datagram may begin with a whole header, with an invalid one, or with none", "[proxy]") {
  const auto found = [](const std::string& datagram) -> std::string {
    const std::optional<ProxyHeader> header = find_proxy_header(as_bytes(datagram));
    if (!header) return "none";
    if (header->kind == ProxyHeader::Kind::invalid) return "invalid";
    CHECK(header->kind != ProxyHeader::Kind::incomplete);
    const std::string whose = header->kind == ProxyHeader::Kind::local ? "local" : header->client.to_string();
    return whose + " " + datagram.substr(header->size);
  };
  CHECK(found(binary(0x21, 0x12, kV4) + "rest") == "198.51.100.7:55555 rest");
  CHECK(found(binary(0x21, 0x12, kV4 + "\x04\x00\x03xyz"s) + "rest") == "198.51.100.7:55555 rest");
  const std::string v6 =
      "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x07"s + std::string(16, '\0') + "\x12\x34\x0D\x96"s;
  CHECK(found(binary(0x21, 0x22, v6)) == "[2001:db8::7]:4660 ");
  CHECK(found(binary(0x20, 0x00, "") + "rest") == "local rest");
  CHECK(found(binary(0x21, 0x00, "more") + "rest") == "local rest");
  CHECK(found(binary(0x21, 0x32, std::string(216, 'x')) + "rest") == "local rest");
  CHECK(found("PROXY TCP4 198.51.100.7 203.0.113.9 55555 3478\r\nrest") == "198.51.100.7:55555 rest");
  CHECK(found("PROXY UNKNOWN\r\nrest") == "local rest");

  for (const char family : {0x11, 0x21, 0x31, 0x10, 0x13, 0x02, 0x42}) {
    CHECK(found(binary(0x21, family, std::string(216, 'x'))) == "invalid");
  }
  CHECK(found(binary(0x21, 0x12, kV4.substr(1))) == "invalid");
  CHECK(found(binary(0x22, 0x12, kV4)) == "invalid");
  CHECK(found(binary(0x21, 0x12, std::string(4097, 'x'))) == "invalid");
  const std::string whole = binary(0x21, 0x12, kV4);
  for (std::size_t size = kMark.size(); size < whole.size(); ++size)
    CHECK(found(whole.substr(0, size)) == "invalid");
  for (std::size_t size = 0; size < kMark.size(); ++size) CHECK(found(whole.substr(0, size)) == "none");
  CHECK(found("PROXY TCP4 198.51.100.7 203.0.113.9 55555 3478") == "invalid");
  CHECK(found("PROXY UDP4 198.51.100.7 203.0.113.9 55555 3478\r\n") == "invalid");
  CHECK(found("PROXY") == "none");
  CHECK(found("\0\1\0\0"s) == "none");
  CHECK(found("\x16\xFE\xFD"s) == "none");
  CHECK(found("@\0\0\1x"s) == "none");
}

TEST_CASE("a header that we write can be read", "[proxy]") {
  const auto made = [](const char* client, const char* server) {
    const std::vector<std::uint8_t> header =
        make_proxy_header(*Endpoint::parse(client), *Endpoint::parse(server));
    return std::string(header.begin(), header.end());
  };
  CHECK(made("198.51.100.7:55555", "203.0.113.9:3478") == binary(0x21, 0x11, kV4));
  check_whole(made("198.51.100.7:55555", "203.0.113.9:3478"), "198.51.100.7:55555");
  const std::string six(
      "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\7\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1\xFF\xFF\1\xBB", 36);
  CHECK(made("[2001:db8::7]:65535", "[2001:db8::1]:443") == binary(0x21, 0x21, six));
  // With one address of each family, both are written as IPv6.
  check_whole(made("198.51.100.7:55555", "[2001:db8::1]:443"), "198.51.100.7:55555");
  check_whole(made("[2001:db8::7]:1", "203.0.113.9:443"), "[2001:db8::7]:1");
  CHECK(made("198.51.100.7:55555", "[2001:db8::1]:443").size() == 16 + 36);
}

}  // namespace
}  // namespace turnpike::net
