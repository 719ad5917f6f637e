#include "http/origins.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace turnpike::http {
namespace {

std::string normalized(std::string_view text) { return normalized_origin(text).value_or("never"); }

TEST_CASE("an origin is as browsers write it", "[http]") {
  struct Case {
    std::string_view text;
    std::string_view origin;
  };
  const Case cases[] = {
      {"https://admin.example.org", "https://admin.example.org"},
      {"https://admin.example.org/", "https://admin.example.org"},
      {"HTTPS://Admin.Example.ORG", "https://admin.example.org"},
      {"https://admin.example.org:443", "https://admin.example.org"},
      {"https://admin.example.org:0443", "https://admin.example.org"},
      {"https://admin.example.org:", "https://admin.example.org"},
      {"https://admin.example.org:80", "https://admin.example.org:80"},
      {"http://admin.example.org:80", "http://admin.example.org"},
      {"http://localhost:3000", "http://localhost:3000"},
      {"http://web_app:3000", "http://web_app:3000"},
      {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
      {"http://[::1]:8080", "http://[::1]:8080"},
      {"http://[0:0::0001]", "http://[::1]"},
      {"capacitor://localhost", "capacitor://localhost"},
      {"null", "null"},
      {"file://", "null"},
      {"file:///", "null"},
      {"file:///home", "never"},
      {"file://server", "file://server"},
      {"https://admin.example.org/app", "never"},
      {"wss://admin.example.org", "never"},
      {"ws://admin.example.org", "never"},
      {"http://127.1", "never"},
      {"http://0x7f000001", "never"},
      {"capacitor://localhost", "capacitor://localhost"},
      {"http://1.example", "http://1.example"},
      {"https://192.0.2.1.nip.io:8443", "https://192.0.2.1.nip.io:8443"},
      {"https://1.2.3.4.5.example", "https://1.2.3.4.5.example"},
      {"http://1.2.3.4.5", "never"},
      {"http://[v1.example]", "never"},
      {"1http://admin.example.org", "never"},
      {"a:b://admin.example.org", "never"},
      {"://admin.example.org", "never"},
      {"https://admin.example.org//", "never"},
      {"https://admin.example.org?x", "never"},
      {"https://admin.example.org#x", "never"},
      {"https://user@admin.example.org", "never"},
      {"https://*.example.org", "never"},
      {"https://admin.example.org:70000", "never"},
      {"https://admin.example.org:0", "never"},
      {"https://a b", "never"},
      {"https://%61.example", "never"},
      {"https://", "never"},
      {"admin.example.org", "never"},
      {"*", "never"},
      {"", "never"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(normalized(c.text) == c.origin);
  }
}

struct Asked {
  std::string_view origin;
  std::string_view host;
  std::string_view forwarded_host = {};
  bool proxied = false;
};

bool allows(const Origins& origins, const Asked& asked) {
  Request request;
  request.authority = asked.host;
  request.proxied = asked.proxied;
  if (!asked.origin.empty()) request.headers.emplace_back("Origin", asked.origin);
  if (!asked.forwarded_host.empty()) request.headers.emplace_back("X-Forwarded-Host", asked.forwarded_host);
  return origins.allows(request);
}

TEST_CASE("a page of the host that was asked for is our own, by whatever spelling of the port", "[http]") {
  const Origins origins({});
  CHECK(allows(origins, {"", "turn.example.org"}));
  CHECK(allows(origins, {"https://turn.example.org", "turn.example.org"}));
  CHECK(allows(origins, {"https://turn.example.org", "turn.example.org:443"}));
  CHECK(allows(origins, {"https://turn.example.org:443", "turn.example.org"}));
  CHECK(allows(origins, {"https://turn.example.org", "Turn.Example.org"}));
  CHECK(allows(origins, {"http://turn.example.org", "turn.example.org:80"}));
  CHECK(allows(origins, {"http://localhost:8080", "localhost:8080"}));
  CHECK(allows(origins, {"http://[::1]:8080", "[0::1]:8080"}));
  CHECK(allows(origins, {"http://192.0.2.1.nip.io:8080", "192.0.2.1.nip.io:8080"}));
  CHECK_FALSE(allows(origins, {"https://turn.example.org", "turn.example.org:80"}));
  CHECK_FALSE(allows(origins, {"https://turn.example.org", "turn.example.org:8443"}));
  CHECK_FALSE(allows(origins, {"http://localhost:3000", "localhost:8080"}));
  CHECK_FALSE(allows(origins, {"https://turn.example.org.evil.example", "turn.example.org"}));
  CHECK_FALSE(allows(origins, {"https://turn.example.org", ""}));
  CHECK_FALSE(allows(origins, {"null", "null"}));
  CHECK_FALSE(allows(origins, {"null", ""}));
}

TEST_CASE("a page of the host that a trusted proxy names, or of the public host, is our own", "[http]") {
  const Origins origins({}, "turn.example.org");
  CHECK(allows(origins, {"https://turn.example.org", "127.0.0.1:8080"}));
  CHECK_FALSE(allows(origins, {"https://turn.example.org:8443", "127.0.0.1:8080"}));
  CHECK(allows(origins, {"https://call.example", "127.0.0.1:8080", "call.example", true}));
  CHECK(allows(origins, {"https://call.example", "127.0.0.1:8080", "call.example:443", true}));
  CHECK(allows(origins, {"https://call.example", "127.0.0.1:8080", "evil.example, call.example", true}));
  CHECK(allows(origins, {"https://call.example", "127.0.0.1:8080", "evil.example, call.example, ", true}));
  CHECK_FALSE(
      allows(origins, {"https://evil.example", "127.0.0.1:8080", "evil.example, call.example", true}));
  CHECK_FALSE(allows(origins, {"https://call.example", "127.0.0.1:8080", "call.example", false}));
  const Origins by_address({}, "2001:db8::7");
  CHECK(allows(by_address, {"https://[2001:db8::7]", "127.0.0.1:8080"}));
}

// Starscream sends the URL of the WebSocket as its origin.
TEST_CASE("an origin of ws or wss is that of the page by http or https", "[http]") {
  const Origins origins({"https://app.example"});
  CHECK(allows(origins, {"ws://localhost:8080", "localhost:8080"}));
  CHECK(allows(origins, {"wss://turn.example.org", "turn.example.org"}));
  CHECK(allows(origins, {"wss://app.example", "turn.example.org"}));
  CHECK_FALSE(allows(origins, {"ws://app.example", "turn.example.org"}));
  CHECK_FALSE(allows(origins, {"wss://evil.example", "turn.example.org"}));
  CHECK_FALSE(allows(origins, {"ws://localhost:3000", "localhost:8080"}));
}

TEST_CASE("a listed origin is let in, null only where it is listed", "[http]") {
  const Origins origins({"https://app.example", "null"});
  CHECK(allows(origins, {"https://app.example", "turn.example.org"}));
  CHECK(allows(origins, {"https://app.example:443", "turn.example.org"}));
  CHECK(allows(origins, {"null", "turn.example.org"}));
  CHECK(allows(origins, {"file://", "turn.example.org"}));
  CHECK_FALSE(allows(Origins({"https://app.example"}), {"file://", "turn.example.org"}));
  CHECK_FALSE(allows(origins, {"http://app.example", "turn.example.org"}));
}

std::string header_of(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "none";
}

TEST_CASE("only a listed origin may read the response", "[http]") {
  const Origins origins({"https://app.example"});
  const auto allowed_for = [&](std::string_view origin) {
    Request request;
    request.headers.emplace_back("Origin", origin);
    Response response;
    origins.add_headers(request, response);
    CHECK(header_of(response, "Vary") == "Origin");
    return header_of(response, "Access-Control-Allow-Origin");
  };
  CHECK(allowed_for("https://app.example") == "https://app.example");
  CHECK(allowed_for("https://app.example:443") == "https://app.example:443");  // as the browser wrote it
  CHECK(allowed_for("https://evil.example") == "none");
}

TEST_CASE("a preflight is answered with 204 for an allowed origin and with 403 for others", "[http]") {
  const Origins origins({"https://app.example"});
  Request request;
  request.authority = "turn.example.org";
  request.headers.emplace_back("Origin", "https://app.example");
  const Response allowed = origins.preflight(request);
  CHECK(allowed.status == 204);
  CHECK(header_of(allowed, "Access-Control-Allow-Origin") == "https://app.example");
  CHECK(header_of(allowed, "Access-Control-Allow-Methods") == "GET, POST, OPTIONS");
  request.headers.front().second = "https://evil.example";
  CHECK(origins.preflight(request).status == 403);
}

TEST_CASE("a preflight allows a listed origin whatever headers it asks for", "[http]") {
  const Origins origins({"https://app.example"});
  const auto allowed_for = [&](std::string_view origin, std::string_view asked) {
    Request request;
    request.authority = "turn.example.org";
    request.headers = {{"Origin", origin}, {"Access-Control-Request-Headers", asked}};
    return header_of(origins.preflight(request), "Access-Control-Allow-Headers");
  };
  constexpr std::string_view kApp = "https://app.example";
  CHECK(allowed_for(kApp, "ngrok-skip-browser-warning,x-client-id") ==
        "ngrok-skip-browser-warning,x-client-id");
  CHECK(allowed_for(kApp, "") == "Authorization, Content-Type");
  CHECK(allowed_for(kApp, "a b") == "Authorization, Content-Type");
  CHECK(allowed_for(kApp, "a;b") == "Authorization, Content-Type");
  CHECK(allowed_for("https://turn.example.org", "x-client-id") == "Authorization, Content-Type");
}

}  // namespace
}  // namespace turnpike::http
