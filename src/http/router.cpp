#include "http/router.hpp"

namespace turnpike::http {

void Router::add(std::string method, std::string path, Handler handler) {
  routes_[std::move(path)][std::move(method)] = std::move(handler);
}

Awaitable<Response> Router::handle(const Request& request) const {
  const std::string_view method = request.method == "HEAD" ? "GET" : request.method;
  const auto route = routes_.find(request.path);
  if (route != routes_.end()) {
    const auto handler = route->second.find(method);
    if (handler != route->second.end()) co_return co_await handler->second(request);
  } else if (method == "GET" && fallback_) {
    co_return co_await fallback_(request);
  }

  std::string allowed;
  if (route == routes_.end()) {
    allowed = "GET, HEAD";
  } else {
    for (const auto& [name, handler] : route->second) {
      allowed.append(allowed.empty() ? "" : ", ").append(name == "GET" ? "GET, HEAD" : name);
    }
  }
  Response response = error_response(405, "this path takes " + allowed);
  response.set("Allow", std::move(allowed));
  co_return response;
}

WebSocketHandler* Router::web_socket(std::string_view path) const {
  const auto it = web_sockets_.find(path);
  return it == web_sockets_.end() ? nullptr : it->second;
}

}  // namespace turnpike::http
