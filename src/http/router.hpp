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
  // A path that ends with "/*" stands for all paths that go on behind the slash, where no other fits.
  void add(std::string method, std::string path, Handler handler);
  // For every other path, by GET.
  void set_fallback(Handler handler) { fallback_ = std::move(handler); }
  // The handler outlives the router.
  void add_web_socket(const std::string& path, WebSocketHandler& handler) { web_sockets_[path] = &handler; }

  Awaitable<Response> handle(const Request& request) const;
  WebSocketHandler* web_socket(std::string_view path) const;

 private:
  using Methods = std::map<std::string, Handler, std::less<>>;
  const Methods* find(std::string_view path) const;

  std::map<std::string, Methods, std::less<>> routes_;
  std::map<std::string, WebSocketHandler*, std::less<>> web_sockets_;
  Handler fallback_;
};

}  // namespace turnpike::http
