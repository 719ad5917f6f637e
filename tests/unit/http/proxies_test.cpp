#include "http/proxies.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "http/message.hpp"

namespace turnpike::http {
namespace {

IpAddress at(std::string_view text) { return *IpAddress::parse(text); }

// Returns the client of a request from 127.0.0.1 that has these lines of X-Forwarded-For.
std::string client(std::initializer_list<std::string_view> lines) {
  const Proxies proxies({{at("127.0.0.1"), 32}, {at("10.0.0.0"), 8}});
  Request request;
  for (const std::string_view line : lines) request.headers.emplace_back("X-Forwarded-For", line);
  return proxies.client(at("127.0.0.1"), request.header_list("x-forwarded-for")).to_string();
}

// RFC 9110 §5.3 allows several lines. HAProxy keeps the client's own line and adds one below.
TEST_CASE("several lines of X-Forwarded-For are one list", "[http]") {
  CHECK(client({"198.51.100.1", "198.51.100.2"}) == "198.51.100.2");
  CHECK(client({"198.51.100.1, 198.51.100.2"}) == "198.51.100.2");
  CHECK(client({"198.51.100.1", "10.0.0.7"}) == "198.51.100.1");
  CHECK(client({"198.51.100.1", "198.51.100.2", "10.0.0.7, 10.0.0.8"}) == "198.51.100.2");
  CHECK(client({"198.51.100.1", ""}) == "198.51.100.1");
  CHECK(client({"[2001:db8::1]:4711"}) == "2001:db8::1");
  CHECK(client({"198.51.100.1", "unknown"}) == "127.0.0.1");
  CHECK(client({}) == "127.0.0.1");
}

// RFC 9110 §5.6.1.2
TEST_CASE("empty members of X-Forwarded-For do not count", "[http]") {
  CHECK(client({"198.51.100.1, 198.51.100.2, ,"}) == "198.51.100.2");
  CHECK(client({"198.51.100.1, 198.51.100.2", " , "}) == "198.51.100.2");
  CHECK(client({",198.51.100.2,,10.0.0.7"}) == "198.51.100.2");
  CHECK(client({", ,"}) == "127.0.0.1");
}

// A proxy that listens at [::] writes the address of an IPv4 client as ::ffff:198.51.100.1.
TEST_CASE("an IPv4-mapped address in X-Forwarded-For counts as its IPv4 address", "[http]") {
  CHECK(client({"::ffff:198.51.100.1"}) == "198.51.100.1");
  CHECK(client({"[::ffff:198.51.100.1]:4711"}) == "198.51.100.1");
  CHECK(client({"198.51.100.1, ::ffff:10.0.0.7"}) == "198.51.100.1");
  CHECK(client({"198.51.100.1, ::ffff:198.51.100.2, ::ffff:10.0.0.7"}) == "198.51.100.2");
}

TEST_CASE("X-Forwarded-For is believed from right to left, as far as the proxies are trusted", "[http]") {
  CHECK(client({"10.0.0.9, 10.0.0.8"}) == "10.0.0.9");
  CHECK(client({"10.0.0.9, 198.51.100.2, 10.0.0.8"}) == "198.51.100.2");
  CHECK(client({"198.51.100.1, unknown, 10.0.0.8"}) == "10.0.0.8");
  CHECK(client({"198.51.100.1:4711, 10.0.0.8:80"}) == "198.51.100.1");
  CHECK(client({" 198.51.100.1 ,\t10.0.0.8 "}) == "198.51.100.1");
}

TEST_CASE("X-Forwarded-For from an address that is not trusted changes nothing", "[http]") {
  const Proxies proxies({{at("10.0.0.0"), 8}});
  CHECK_FALSE(proxies.is_trusted(at("192.0.2.1")));
  CHECK(proxies.client(at("192.0.2.1"), "198.51.100.1") == at("192.0.2.1"));
  CHECK(Proxies({}).client(at("10.0.0.1"), "198.51.100.1") == at("10.0.0.1"));
}

}  // namespace
}  // namespace turnpike::http
