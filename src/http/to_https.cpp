#include "http/to_https.hpp"

#include <algorithm>

#include "turnpike/base/text.hpp"

namespace turnpike::http {
namespace {

constexpr std::string_view kPlainPort = "80";
constexpr std::string_view kSecurePort = "443";

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Response to_https(const Request& request) {
  const std::string_view authority = request.header("host");
  const std::string_view name = host_without_port(authority);
  const bool bracketed = authority.starts_with('[');
  const std::string_view behind =
      authority.substr(std::min(authority.size(), name.size() + (bracketed ? 2 : 0)));
  const std::string_view port = behind.empty() ? kPlainPort : behind.substr(1);
  if (!is_host(name) || (!behind.empty() && behind.front() != ':') || !is_port(port)) {
    return error_response(400, "expected a Host");
  }
  std::string url = "https://";
  url.append(bracketed ? "[" : "").append(name).append(bracketed ? "]" : "");
  if (port != kSecurePort) url.append(":").append(port);
  url.append(request.target);
  Response response = error_response(308, url);
  response.set("Location", std::move(url));
  return response;
}

}  // namespace turnpike::http
