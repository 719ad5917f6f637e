#include "http/to_https.hpp"

#include "turnpike/base/text.hpp"

namespace turnpike::http {
namespace {

constexpr std::string_view kPlainPort = "80";
constexpr std::string_view kSecurePort = "443";

}  // namespace

Response to_https(const Request& request, net::ToHttps where) {
  const std::optional<HostAndPort> asked_for = parse_host_and_port(request.authority);
  if (!asked_for || !is_host(asked_for->host)) return error_response(400, "expected a Host");
  const std::string_view name = asked_for->host;
  const bool bracketed = request.authority.starts_with('[');
  const std::string_view port = asked_for->port.empty() ? kPlainPort : asked_for->port;
  std::string url = "https://";
  url.append(bracketed ? "[" : "").append(name).append(bracketed ? "]" : "");
  const bool is_standard = port == kSecurePort || (port == kPlainPort && where == net::ToHttps::port_443);
  if (!is_standard) url.append(":").append(port);
  if (request.target != "*") url.append(request.target);  // RFC 9112 §3.2.4
  Response response = error_response(308, url);
  response.set("Location", std::move(url));
  return response;
}

}  // namespace turnpike::http
