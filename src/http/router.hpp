// Which path is whose. Filled before the server starts; then it does not change.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"
#include "http/web_socket.hpp"

namespace turnpike::http {

class Router {
 public:
  // HEAD goes to the handler of GET; the connection leaves the body out.
  void add(std::string method, std::string path, Handler handler);
  // For every other path, by GET.
  void set_fallback(Handler handler) { fallback_ = std::move(handler); }
  // The handler outlives the router.
  void add_web_socket(const std::string& path, WebSocketHandler& handler) { web_sockets_[path] = &handler; }

  Awaitable<Response> handle(const Request& request) const;
  WebSocketHandler* web_socket(std::string_view path) const;

 private:
  std::map<std::string, std::map<std::string, Handler, std::less<>>, std::less<>> routes_;
  std::map<std::string, WebSocketHandler*, std::less<>> web_sockets_;
  Handler fallback_;
};

}  // namespace turnpike::http
