#include "net/dtls_hello.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "support/scripted_random.hpp"

namespace turnpike::net {
namespace {

using namespace std::chrono_literals;
using Octets = std::vector<std::uint8_t>;

constexpr std::size_t kBodyAt = 25;

// Returns a ClientHello with the fields that a stateless server examines, and one cipher suite.
Octets hello_with(const Octets& cookie, std::uint8_t random = 7, const Octets& session = {}) {
  Octets body{0xFE, 0xFD};
  body.insert(body.end(), 32, random);
  body.push_back(static_cast<std::uint8_t>(session.size()));
  body.insert(body.end(), session.begin(), session.end());
  body.push_back(static_cast<std::uint8_t>(cookie.size()));
  body.insert(body.end(), cookie.begin(), cookie.end());
  for (const int byte : {0, 2, 0xC0, 0x2B, 1, 0}) body.push_back(static_cast<std::uint8_t>(byte));
  const auto size = static_cast<std::uint8_t>(body.size());
  Octets hello{22, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0, 9, 0, static_cast<std::uint8_t>(size + 12)};
  for (const std::uint8_t byte : Octets{1, 0, 0, size, 0, 0, 0, 0, 0, 0, 0, size}) hello.push_back(byte);
  hello.insert(hello.end(), body.begin(), body.end());
  return hello;
}

Endpoint at(const char* text) { return *Endpoint::parse(text); }

SteadyTime after(Duration time) { return SteadyTime(1h + time); }

TEST_CASE("a ClientHello is read up to its cookie", "[dtls]") {
  const Octets plain = hello_with({});
  const auto first = parse_dtls_hello(plain);
  REQUIRE(first);
  CHECK(first->cookie.empty());
  CHECK(Octets(first->random.begin(), first->random.end()) == Octets(32, 7));
  CHECK(Octets(first->record_number.begin(), first->record_number.end()) == Octets{0, 0, 0, 0, 0, 0, 0, 9});

  Octets second = hello_with({1, 2, 3}, 8, Octets(32, 5));
  second.push_back(22);  // a record behind it is none of our business
  const auto again = parse_dtls_hello(second);
  REQUIRE(again);
  CHECK(Octets(again->cookie.begin(), again->cookie.end()) == Octets{1, 2, 3});
}

TEST_CASE("of a ClientHello in fragments, the first one is enough", "[dtls]") {
  Octets hello = hello_with({1, 2, 3});
  hello[15] = 9;  // of a much longer message
  CHECK(parse_dtls_hello(hello));
  hello[21] = 1;  // but not another one
  CHECK_FALSE(parse_dtls_hello(hello));
}

TEST_CASE("other datagrams than a ClientHello are not answered", "[dtls]") {
  const Octets hello = hello_with({1, 2, 3}, 7, Octets(32, 5));
  for (std::size_t size = 0; size < hello.size(); ++size) {
    const Octets cut(hello.begin(), hello.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(parse_dtls_hello(cut));
  }
  const std::pair<std::size_t, int> changes[] = {
      {0, 23},    // data
      {1, 3},     // TLS
      {3, 1},     // encrypted, or would be
      {12, 200},  // longer than the datagram
      {13, 2},    // a ServerHello
      {16, 1},    // fragment_length is more than that
      {24, 1},    // something behind the fragment
      {25, 3},    // not a version of DTLS
      {59, 200},  // the session is longer than the message
  };
  for (const auto& [index, value] : changes) {
    CAPTURE(index);
    Octets changed = hello;
    changed[index] = static_cast<std::uint8_t>(value);
    CHECK_FALSE(parse_dtls_hello(changed));
  }
}

TEST_CASE("a HelloVerifyRequest is what the RFC says, and shorter than any hello", "[dtls]") {
  const Octets hello = hello_with({});
  DtlsCookies::Cookie cookie;
  cookie.fill(0xAB);
  const auto answer = make_hello_verify(*parse_dtls_hello(hello), cookie);
  Octets expected{22, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0, 9, 0, 35, 3, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 23};
  for (const int byte : {0xFE, 0xFF, 20}) expected.push_back(static_cast<std::uint8_t>(byte));
  expected.insert(expected.end(), 20, 0xAB);
  CHECK((Octets(answer.begin(), answer.end()) == expected));
  CHECK(answer.size() < hello.size());
  CHECK(answer.size() < kBodyAt + 2 + 32 + 1 + 1);
}

TEST_CASE("a cookie is valid for one client, one server and one handshake", "[dtls]") {
  crypto::Digester digester;
  test::ScriptedRandom random;
  DtlsCookies cookies(digester, random);
  const Endpoint client = at("192.0.2.1:4000");
  const Endpoint server = at("198.51.100.1:5349");
  const Octets first = hello_with({});
  const DtlsCookies::Cookie cookie = cookies.make(client, server, *parse_dtls_hello(first), after(0s));
  const auto verify = [&](const Endpoint& from, const Endpoint& to, const Octets& hello, Duration age) {
    return cookies.verify(from, to, *parse_dtls_hello(hello), after(age));
  };
  const Octets right = hello_with({cookie.begin(), cookie.end()});
  CHECK(verify(client, server, right, 0s));
  CHECK_FALSE(verify(at("192.0.2.1:4001"), server, right, 0s));
  CHECK_FALSE(verify(at("192.0.2.2:4000"), server, right, 0s));
  CHECK_FALSE(verify(client, at("198.51.100.2:5349"), right, 0s));
  CHECK_FALSE(verify(client, at("198.51.100.1:5350"), right, 0s));
  CHECK_FALSE(verify(client, server, first, 0s));
  CHECK_FALSE(verify(client, server, hello_with({cookie.begin(), cookie.end() - 1}), 0s));
  CHECK_FALSE(verify(client, server, hello_with({cookie.begin(), cookie.end()}, 8), 0s));
  for (std::size_t i = 0; i < cookie.size(); ++i) {
    Octets wrong(cookie.begin(), cookie.end());
    wrong[i] ^= 1;
    CHECK_FALSE(verify(client, server, hello_with(wrong), 0s));
  }
}

TEST_CASE("a cookie lasts for a period at least and for two at most", "[dtls]") {
  crypto::Digester digester;
  const Endpoint client = at("192.0.2.1:4000");
  const Endpoint server = at("198.51.100.1:5349");
  const Octets first = hello_with({});
  const auto is_good_after = [&](Duration made, Duration asked) {
    test::ScriptedRandom random;
    DtlsCookies cookies(digester, random);
    cookies.make(client, server, *parse_dtls_hello(first), after(0s));
    const auto cookie = cookies.make(client, server, *parse_dtls_hello(first), after(made));
    const Octets second = hello_with({cookie.begin(), cookie.end()});
    return cookies.verify(client, server, *parse_dtls_hello(second), after(asked));
  };
  CHECK(is_good_after(0s, DtlsCookies::kPeriod - 1ms));
  CHECK(is_good_after(0s, 2 * DtlsCookies::kPeriod - 1ms));
  CHECK_FALSE(is_good_after(0s, 2 * DtlsCookies::kPeriod));
  CHECK(is_good_after(DtlsCookies::kPeriod - 1ms, 2 * DtlsCookies::kPeriod - 1ms));
  CHECK_FALSE(is_good_after(DtlsCookies::kPeriod - 1ms, 24h));
}

}  // namespace
}  // namespace turnpike::net
