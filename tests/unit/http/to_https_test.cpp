#include "http/to_https.hpp"

#include <catch2/catch.hpp>

namespace turnpike::http {
namespace {

// Returns the Location of the answer, or its status.
std::string answer(std::string_view host, std::string_view target = "/",
                   net::ToHttps where = net::ToHttps::same_port) {
  Request request;
  request.method = target == "*" ? "OPTIONS" : "GET";
  if (!host.empty()) request.headers.emplace_back("Host", host);
  if (take_target(target, HttpVersion::http_1_0, request)) return "no request";
  const Response response = to_https(request, where);
  for (const auto& [name, value] : response.headers) {
    if (name == "Location") return value;
  }
  return std::to_string(response.status);
}

TEST_CASE("the redirection to https keeps the host and the target", "[http]") {
  CHECK(answer("turn.example.org:443") == "https://turn.example.org/");
  CHECK(answer("turn.example.org:8443", "/a/b?c=d%20e") == "https://turn.example.org:8443/a/b?c=d%20e");
  CHECK(answer("turn.example.org") == "https://turn.example.org:80/");
  CHECK(answer("[2001:db8::1]:443", "/x") == "https://[2001:db8::1]/x");
  CHECK(answer("[2001:db8::1]:444") == "https://[2001:db8::1]:444/");
  CHECK(answer("192.0.2.1:444") == "https://192.0.2.1:444/");
  CHECK(answer("example.org:") == "https://example.org:80/");
  CHECK(answer("example.org:443", "*") == "https://example.org");
  CHECK(answer("example.org:443", "/a?b=[|]") == "https://example.org/a?b=%5B%7C%5D");
  CHECK(answer("example.org:443", "http://example.net/a") == "https://example.net:80/a");
}

TEST_CASE("a client of port 80 is sent to 443 if https is served there", "[http]") {
  const auto sent = [](std::string_view host) { return answer(host, "/a", net::ToHttps::port_443); };
  CHECK(sent("turn.example.org") == "https://turn.example.org/a");
  CHECK(sent("turn.example.org:80") == "https://turn.example.org/a");
  CHECK(sent("[2001:db8::1]") == "https://[2001:db8::1]/a");
  // Something in front of the server may map another port to ours.
  CHECK(sent("turn.example.org:8080") == "https://turn.example.org:8080/a");
}

TEST_CASE("a client without a Host is not redirected", "[http]") {
  for (const std::string_view host : {"", "a_b:443", "%41:443", "a!b"}) {
    CAPTURE(host);
    CHECK(answer(host) == "400");
  }
  for (const std::string_view host :
       {":443", "a b:443", "example.org:x", "example.org:443:1", "[2001:db8::1", "[::1]x:1",
        "example.org:123456", "evil.example/", "user@example.org:443"}) {
    CAPTURE(host);
    CHECK(answer(host) == "no request");
  }
}

}  // namespace
}  // namespace turnpike::http
