#include "http/router.hpp"

#include <utility>

namespace turnpike::http {

Handler at_once(std::function<Response(const Request&)> function) {
  return [function = std::move(function)](const Request& request) -> Awaitable<Response> {
    co_return function(request);
  };
}

void Router::add(std::string method, std::string path, Handler handler) {
  auto& paths = path.ends_with("/*") ? folders_ : routes_;
  if (path.ends_with("/*")) path.pop_back();
  paths[std::move(path)][std::move(method)] = std::move(handler);
}

bool Router::is_served(std::string_view path) const {
  const auto condition = conditions_.find(path);
  return condition == conditions_.end() || condition->second();
}

const Router::Methods* Router::find(std::string_view path) const {
  if (!is_served(path)) return nullptr;
  if (const auto route = routes_.find(path); route != routes_.end()) return &route->second;
  const Methods* nearest = nullptr;
  std::size_t longest = 0;
  for (const auto& [folder, methods] : folders_) {
    if (folder.size() <= longest || path.size() <= folder.size() || !path.starts_with(folder)) continue;
    nearest = &methods;
    longest = folder.size();
  }
  return nearest;
}

Arrival Router::arrive(const Request& request) const {
  const auto arrival = arrivals_.find(request.path);
  return arrival == arrivals_.end() || !is_served(request.path) ? Arrival() : arrival->second(request);
}

Awaitable<Response> Router::handle(const Request& request) const {
  const std::string_view method = request.method == "HEAD" ? "GET" : request.method;
  const Methods* const route = find(request.path);
  if (route) {
    auto handler = route->find(method);
    if (handler == route->end()) handler = route->find(kAnyMethod);
    if (handler != route->end()) co_return co_await handler->second(request);
  } else {
    Response found = error_response(404, "there is nothing at this path");
    if (fallback_) found = co_await fallback_(request);
    if (method == "GET" || found.status == 404) co_return found;
  }

  std::string allowed;
  if (!route) {
    allowed = "GET, HEAD";
  } else {
    for (const auto& [name, handler] : *route) {
      allowed.append(allowed.empty() ? "" : ", ").append(name == "GET" ? "GET, HEAD" : name);
    }
  }
  Response response = error_response(405, "this path takes " + allowed);
  response.set("Allow", std::move(allowed));
  co_return response;
}

WebSocketHandler* Router::web_socket(std::string_view path) const {
  const auto it = web_sockets_.find(path);
  return it == web_sockets_.end() || !is_served(path) ? nullptr : it->second;
}

}  // namespace turnpike::http
