#include "http/origins.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace turnpike::http {

bool Origins::is_listed(std::string_view origin) const {
  return std::ranges::find(allowed_, origin) != allowed_.end();
}

// The scheme is left aside: a proxy that ends TLS in front of us changes it.
bool Origins::allow(const Request& request) const {
  const std::string_view origin = request.header("origin");
  if (origin.empty()) return true;
  const std::size_t scheme = origin.find("://");
  const bool own = scheme != std::string_view::npos &&
                   boost::beast::iequals(origin.substr(scheme + 3), request.header("host"));
  return own || is_listed(origin);
}

void Origins::add_headers(const Request& request, Response& response) const {
  response.set("Vary", "Origin");
  const std::string_view origin = request.header("origin");
  if (origin.empty() || !is_listed(origin)) return;
  response.set("Access-Control-Allow-Origin", std::string(origin));
  response.set("Access-Control-Allow-Credentials", "true");
}

Response Origins::preflight(const Request& request) const {
  if (!allow(request)) return error_response(403, "this origin is not allowed here");
  Response response{.status = 204, .headers = {}, .body = {}};
  add_headers(request, response);
  response.set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  response.set("Access-Control-Allow-Headers", "Authorization, Content-Type");
  response.set("Access-Control-Max-Age", "600");
  return response;
}

}  // namespace turnpike::http
