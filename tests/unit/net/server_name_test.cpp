#include "net/server_name.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/tls_probe.hpp"

namespace turnpike::net {
namespace {

using namespace std::string_literals;

// Returns the content after its length, which has two octets or as many as given.
std::string sized(const std::string& content, int octets = 2) {
  std::string out;
  for (int i = octets - 1; i >= 0; --i) out += static_cast<char>(content.size() >> (8 * i));
  return out + content;
}

std::string server_name(const std::string& name, char type = 0) {
  return "\0\0"s + sized(sized(type + sized(name)));
}

// Returns a ClientHello with these extensions, as a handshake message.
std::string message(const std::string& extensions) {
  const std::string body =
      "\3\3"s + std::string(32, 'r') + sized("", 1) + sized("\x13\1"s) + sized("\0"s, 1) + sized(extensions);
  return "\1"s + sized(body, 3);
}

std::string record(const std::string& fragment) { return "\x16\3\1"s + sized(fragment); }

// Returns the message in records of this many octets each.
std::string in_records(const std::string& whole, std::size_t size) {
  std::string out;
  for (std::size_t at = 0; at < whole.size(); at += size) out += record(whole.substr(at, size));
  return out;
}

std::string hello(const std::string& extensions) { return record(message(extensions)); }

std::string describe(const AskedName& asked) {
  switch (asked.kind) {
    case AskedName::Kind::incomplete: return "incomplete";
    case AskedName::Kind::absent: return "absent";
    case AskedName::Kind::malformed: return "malformed";
    case AskedName::Kind::named: break;
  }
  return "named " + asked.name;
}

std::string tls(const std::string& received) { return describe(find_server_name(as_bytes(received))); }
std::string http(const std::string& received) { return describe(find_host(as_bytes(received))); }

// Checks that every beginning is incomplete and asks for more than there is, but not for more than the whole;
// and that data after it changes nothing.
template <class Find>
void check_whole(Find&& find, const std::string& whole, const std::string& expected) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const AskedName asked = find(as_bytes(whole.substr(0, size)));
    REQUIRE(asked.kind == AskedName::Kind::incomplete);
    REQUIRE(asked.needed > size);
    REQUIRE(asked.needed <= whole.size());
  }
  CHECK(describe(find(as_bytes(whole))) == expected);
  CHECK(describe(find(as_bytes(whole + "\x17\3\3\0\1x\n\n"s))) == expected);
  CHECK(describe(find(as_bytes(whole + std::string(100'000, 'x')))) == expected);
}

TEST_CASE("the name in a ClientHello is found, however the octets are cut", "[server_name]") {
  const std::string other = "\0\x0B\0\2\1\0"s;
  for (const std::string& extensions :
       {server_name("www.example.org"), other + server_name("www.example.org"),
        server_name("www.example.org") + other, other + other + server_name("www.example.org") + other}) {
    const std::string whole = message(extensions);
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{3}, std::size_t{4}, std::size_t{50}, whole.size()}) {
      CAPTURE(size);
      check_whole(find_server_name, in_records(whole, size), "named www.example.org");
    }
  }
  check_whole(find_server_name, test::client_hello("a.example"), "named a.example");
  check_whole(find_server_name, test::client_hello(), "absent");
  check_whole(find_server_name, hello(server_name("192.0.2.1")), "named 192.0.2.1");
  check_whole(find_server_name, hello(server_name("under_score.example.org.")),
              "named under_score.example.org.");
  check_whole(find_server_name, hello(server_name(std::string(255, 'n'))), "named " + std::string(255, 'n'));
}

TEST_CASE("a ClientHello may have no name, or no extensions at all", "[server_name]") {
  check_whole(find_server_name, hello(""), "absent");
  check_whole(find_server_name, hello("\0\x0B\0\2\1\0"s), "absent");
  const std::string body = "\3\1"s + std::string(32, 'r') + sized(std::string(32, 's'), 1) +
                           sized("\0\x2F\0\x35"s) + sized("\0"s, 1);
  check_whole(find_server_name, record("\1"s + sized(body, 3)), "absent");
}

TEST_CASE("a ClientHello has a greatest length", "[server_name]") {
  const auto padded = [](std::size_t size) {
    const std::size_t without = message(server_name("a.example") + "\0\x15"s + sized("")).size();
    return message(server_name("a.example") + "\0\x15"s + sized(std::string(size - without, '\0')));
  };
  const std::string longest = padded(kMaxClientHello);
  REQUIRE(longest.size() == kMaxClientHello);
  CHECK(tls(record(longest)) == "named a.example");
  CHECK(tls(in_records(longest, 1000)) == "named a.example");
  CHECK(tls(in_records(longest, 25)) == "named a.example");
  // This hello would need more than the allowed records.
  const std::string many = in_records(longest, 10);
  REQUIRE(many.size() > kMaxHelloRecords);
  CHECK(tls(many) == "malformed");
  CHECK(tls(many.substr(0, kMaxHelloRecords - 1)) == "incomplete");
  CHECK(tls(in_records(padded(kMaxClientHello + 1), 1000)) == "malformed");
  // The length alone shows this, before the whole hello has arrived.
  CHECK(tls(in_records(padded(kMaxClientHello + 1), 1000).substr(0, 9)) == "malformed");
  CHECK(tls(record("\1\0\x40\0"s)) == "malformed");
  CHECK(tls(record("\1\0\x3F\xFC"s)) == "incomplete");
}

TEST_CASE("what is no ClientHello is malformed, as soon as that is clear", "[server_name]") {
  CHECK(tls("\x15"s) == "malformed");
  CHECK(tls("\x16\2"s) == "malformed");
  CHECK(tls("\x16\3\1\0\0"s) == "malformed");          // an empty fragment
  CHECK(tls("\x16\3\1\x40\1"s) == "malformed");        // a longer one than there may be
  CHECK(tls("\x16\3\1\0\1\2"s) == "malformed");        // a ServerHello
  CHECK(tls(record("\1"s) + "\x17"s) == "malformed");  // data in between
  CHECK(tls(record(message("").substr(0, 20)) + record("\1"s) + "\x14\3"s) == "malformed");
  const auto body = [](const std::string& text) { return tls(record("\1"s + sized(text, 3))); };
  const std::string head = "\3\3"s + std::string(32, 'r');
  const std::string middle = sized("", 1) + sized("\x13\1"s) + sized("\0"s, 1);
  CHECK(body(head + middle) == "absent");
  CHECK(body("") == "malformed");
  CHECK(body("\2\0"s + std::string(32, 'r') + middle) == "malformed");
  CHECK(body(head + sized(std::string(33, 's'), 1) + sized("\x13\1"s) + sized("\0"s, 1)) == "malformed");
  CHECK(body(head + sized("", 1) + sized("") + sized("\0"s, 1)) == "malformed");
  CHECK(body(head + sized("", 1) + sized("\x13"s) + sized("\0"s, 1)) == "malformed");
  CHECK(body(head + sized("", 1) + sized("\x13\1"s) + sized("", 1)) == "malformed");
  CHECK(body(head + middle + "x"s) == "malformed");
  CHECK(body(head + middle + sized("") + "x"s) == "malformed");
  CHECK(body(head + middle + "\0\5"s + "xx"s) == "malformed");
  for (std::size_t size = 0; size < head.size() + middle.size(); ++size) {
    CAPTURE(size);
    CHECK(body((head + middle).substr(0, size)) == "malformed");
  }
}

TEST_CASE("a server_name that OpenSSL would refuse is malformed", "[server_name]") {
  CHECK(tls(hello(server_name("a.example") + server_name("b.example"))) == "malformed");
  CHECK(tls(hello(server_name(""))) == "malformed");
  CHECK(tls(hello(server_name("a\0b"s))) == "malformed");
  CHECK(tls(hello(server_name(std::string(256, 'n')))) == "malformed");
  CHECK(tls(hello(server_name("a.example", 1))) == "malformed");
  CHECK(tls(hello("\0\0"s + sized(""))) == "malformed");
  CHECK(tls(hello("\0\0"s + sized(sized("")))) == "malformed");
  CHECK(tls(hello("\0\0"s + sized(sized("\0"s + sized("a") + "\0"s + sized("b"))))) == "malformed");
  CHECK(tls(hello("\0\0"s + sized(sized("\0"s + sized("a")) + "x"s))) == "malformed");
  CHECK(tls(hello("\0\0\0\x40"s)) == "malformed");
  CHECK(tls(hello("\0\0\0"s)) == "malformed");
}

TEST_CASE("the Host of a request is found, however the octets are cut", "[server_name]") {
  const auto get = [](const std::string& fields) { return "GET / HTTP/1.1\r\n" + fields; };
  check_whole(find_host, get("Host: www.example.org\r\n"), "named www.example.org");
  check_whole(find_host, get("Accept: *\r\nhOST:www.example.org:8080 \t\r\n"), "named www.example.org");
  check_whole(find_host, get("Host: [2001:db8::1]:80\r\n"), "named 2001:db8::1");
  check_whole(find_host, get("Host: 192.0.2.1:80\n"), "named 192.0.2.1");
  check_whole(find_host, get("Host:\r\n"), "named ");
  check_whole(find_host, get("X-Host: a\r\nHostess: b\r\n\r\n"), "absent");
  check_whole(find_host, "GET / HTTP/1.0\n\n", "absent");
  check_whole(find_host, "GET Host: HTTP/1.0\r\n\r\n", "absent");  // the request's own line is no field
  check_whole(find_host, "Host: a.example\r\nHost: b.example\r\n", "named b.example");
  // After the head there is no field either, and the first Host counts.
  CHECK(http(get("A: b\r\n\r\nHost: www.example.org\r\n")) == "absent");
  CHECK(http(get("Host: a.example\r\nHost: b.example\r\n")) == "named a.example");
}

TEST_CASE("a Host is searched only in the first octets", "[server_name]") {
  const std::string begin = "GET /";
  const std::string host = " HTTP/1.1\r\nHost: www.example.org\r\n";
  const auto request = [&](std::size_t size) {
    return begin + std::string(size - begin.size() - host.size(), 'x') + host;
  };
  CHECK(http(request(kMaxHostSearch)) == "named www.example.org");
  CHECK(http(request(kMaxHostSearch).substr(0, kMaxHostSearch - 1)) == "incomplete");
  CHECK(http(request(kMaxHostSearch + 1)) == "absent");
  CHECK(http(request(kMaxHostSearch + 1).substr(0, kMaxHostSearch)) == "absent");
}

}  // namespace
}  // namespace turnpike::net
