#include "http/message.hpp"

#include <catch2/catch.hpp>

namespace turnpike::http {
namespace {

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

// Returns "PATH of AUTHORITY for TARGET", or what is wrong.
std::string taken(std::string_view target, std::string_view method = "GET",
                  HttpVersion version = HttpVersion::http_1_1,
                  const Headers& headers = {{"Host", "example.org"}}) {
  Request request;
  request.method = method;
  request.headers = headers;
  if (const auto fault = take_target(target, version, request)) return std::string(*fault);
  return request.path + " of " + std::string(request.authority) + " for " + request.target;
}

TEST_CASE("headers of one name are one list", "[http]") {
  Request request;
  request.headers = {{"X-Forwarded-For", "198.51.100.1, 198.51.100.2"},
                     {"Host", "example.org"},
                     {"x-forwarded-for", ""},
                     {"x-forwarded-for", "198.51.100.3"}};
  CHECK(request.header_list("X-Forwarded-For") == "198.51.100.1, 198.51.100.2, 198.51.100.3");
  CHECK(request.header_list("host") == "example.org");
  CHECK(request.header_list("Via").empty());
}

TEST_CASE("targets are read in each of their forms", "[http]") {
  CHECK(taken("/") == "/ of example.org for /");
  CHECK(taken("/a%20b/%C3%BC?c=%20&d") == "/a b/ü of example.org for /a%20b/%C3%BC?c=%20&d");
  CHECK(taken("//etc/passwd") == "//etc/passwd of example.org for //etc/passwd");
  CHECK(taken("http://other.example:8080/a?b=c") == "/a of other.example:8080 for /a?b=c");
  CHECK(taken("HTTPS://[2001:db8::1]:8443") == "/ of [2001:db8::1]:8443 for /");
  CHECK(taken("http://other.example?b=/c") == "/ of other.example for /?b=/c");
  CHECK(taken("http://192.0.2.1.nip.io/a") == "/a of 192.0.2.1.nip.io for /a");
  CHECK(taken("http://other.example//a") == "//a of other.example for //a");
  CHECK(taken("*", "OPTIONS") == "* of example.org for *");
  for (const std::string_view target : {"",
                                        "*",
                                        "nowhere",
                                        "example.org:443",
                                        "http:/a",
                                        "http://",
                                        "http:///a",
                                        "http://user@example.org/",
                                        "://a/",
                                        "ftp://example.org/",
                                        "http://exa mple/",
                                        "http://[::1/a",
                                        "http://a:99999/",
                                        "/%zz",
                                        "/%",
                                        "/%4",
                                        "/a%00b",
                                        "/a#b",
                                        "http://a#b",
                                        "http://a/#b",
                                        "http%3A//a/"}) {
    CAPTURE(target);
    CHECK(taken(target) == "this is no path");
  }
}

TEST_CASE("what browsers leave unencoded is encoded here", "[http]") {
  CHECK(taken("/a|b?c=[d]&e={f}^`\"<>\\") ==
        "/a|b of example.org for /a%7Cb?c=%5Bd%5D&e=%7Bf%7D%5E%60%22%3C%3E%5C");
  CHECK(taken("/\xC3\xBC") == "/ü of example.org for /%C3%BC");
  CHECK(taken("http://a/[") == "/[ of a for /%5B");
  CHECK(taken("/?q=100%") == "/ of example.org for /?q=100%25");
  CHECK(taken("/a?q=%&r=%4&s=%zz%20?%") == "/a of example.org for /a?q=%25&r=%254&s=%25zz%20?%25");
}

TEST_CASE("a response as octets says how long it is", "[http]") {
  Response response = error_response(429, "too many");
  response.set("Retry-After", "10");
  const std::string octets = to_octets(response);
  CHECK(octets ==
        "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Cache-Control: no-store\r\nRetry-After: 10\r\nContent-Length: 32\r\n\r\n429 Too Many Requests: too "
        "many\n");
}

TEST_CASE("a form has its values", "[http]") {
  Request request;
  request.body = "api=key&service=%74urn";
  CHECK(request.form("service") == "turn");
  CHECK_FALSE(request.form("key"));
  request.body = "%zz";
  CHECK_FALSE(request.form("%zz"));
  request.body = {};
  CHECK_FALSE(request.form("service"));
}

TEST_CASE("a query has its values whatever form the target had", "[http]") {
  Request request;
  request.method = "GET";
  request.headers = {{"Host", "a"}};
  REQUIRE_FALSE(take_target("http://b?service=turn&x=%5B[", HttpVersion::http_1_1, request));
  CHECK(request.query("service") == "turn");
  CHECK(request.query("x") == "[[");
  CHECK_FALSE(request.query("y"));
}

TEST_CASE("a Host is required and has to be valid", "[http]") {
  const auto with = [](const Headers& headers, HttpVersion version) {
    return taken("/", "GET", version, headers);
  };
  const auto host = [&](std::string_view value) { return with({{"hOST", value}}, HttpVersion::http_1_1); };
  CHECK(with({}, HttpVersion::http_1_0) == "/ of  for /");
  CHECK(with({}, HttpVersion::http_1_1) == "a Host is missing");
  CHECK(taken("http://a/", "GET", HttpVersion::http_1_1, {}) == "a Host is missing");
  for (const HttpVersion version : {HttpVersion::http_1_0, HttpVersion::http_1_1}) {
    CHECK(with({{"Host", "a"}, {"host", "a"}}, version) == "there is more than one Host");
    CHECK(with({{"Host", "a"}, {"host", ""}}, version) == "there is more than one Host");
    CHECK(with({{"Host", "a/b"}}, version) == "the Host is malformed");
  }
  for (const std::string_view right :
       {"", "a", "a:80", "a:", "a_b.example:8080", "[::1]", "[::1]:80", "192.0.2.1:0", "192.0.2.1.nip.io",
        "192.0.2.1.nip.io:8080", "192.0.2.1a", "1.2.3.4.5"}) {
    CAPTURE(right);
    CHECK(host(right) == "/ of " + std::string(right) + " for /");
  }
  for (const std::string_view wrong : {"a, b",
                                       "a b",
                                       "a/",
                                       "a?",
                                       "a#",
                                       "u@a",
                                       "@a",
                                       ":80",
                                       "a:b",
                                       "a:65536",
                                       "a:99999999999999999999",
                                       "a:80:80",
                                       "::1",
                                       "[::1",
                                       "::1]",
                                       "[::1]a",
                                       "[]",
                                       "[v1.localhost]",
                                       "a\\b",
                                       "http://a",
                                       "%zz",
                                       "\xC3\xBC"}) {
    CAPTURE(wrong);
    CHECK(host(wrong) == "the Host is malformed");
  }
}

TEST_CASE("an authority has a host and perhaps a port", "[http]") {
  CHECK(parse_host_and_port("[2001:db8::1]:8080")->host == "2001:db8::1");
  CHECK(parse_host_and_port("[2001:db8::1]:8080")->port == "8080");
  CHECK(parse_host_and_port("example.org:")->port.empty());
  CHECK(host_without_port("192.0.2.1:80") == "192.0.2.1");
  CHECK(host_without_port("a b").empty());
}

}  // namespace
}  // namespace turnpike::http
