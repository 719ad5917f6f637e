#include "http/proxies.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "http/message.hpp"

namespace turnpike::http {
namespace {

IpAddress at(std::string_view text) { return *IpAddress::parse(text); }

// Who a request is from that comes from 127.0.0.1 with these lines of X-Forwarded-For.
std::string client(std::initializer_list<std::string_view> lines) {
  const Proxies proxies({{at("127.0.0.1"), 32}, {at("10.0.0.0"), 8}});
  Request request;
  for (const std::string_view line : lines) request.headers.emplace_back("X-Forwarded-For", line);
  return proxies.client(at("127.0.0.1"), request.header_list("x-forwarded-for")).to_string();
}

// RFC 9110 §5.3. HAProxy leaves the client's own line where it is and adds one below.
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

}  // namespace
}  // namespace turnpike::http
