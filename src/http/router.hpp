// Finds the handler of a path. Routes are added before the server starts and do not change afterwards; some
// of them may be served at some times only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"
#include "http/web_socket.hpp"

namespace turnpike::http {

// Makes a handler from a function that returns its answer at once.
Handler at_once(std::function<Response(const Request&)> function);

// The decision of a path about a request whose body has not arrived yet.
struct Arrival {
  std::optional<Response> refusal;       // the answer, if the body is of no interest
  std::shared_ptr<void> until_answered;  // kept until the request is answered or given up
  std::uint32_t max_body = 0;            // octets, if the body may be longer than Limits::message_bytes
};

class Router {
 public:
  // HEAD requests go to the handler of GET; the connection leaves the body out. A path that ends with "/*"
  // matches all longer paths that no other route matches; the longest such path counts. kAnyMethod matches
  // all methods that the path has no other handler for.
  static constexpr std::string_view kAnyMethod = "*";
  void add(std::string method, std::string path, Handler handler);
  // The routes and the WebSocket of this path exist only while `is_served` returns true.
  void serve_while(std::string path, std::function<bool()> is_served) {
    conditions_[std::move(path)] = std::move(is_served);
  }
  // Sets the handler of GET requests for all other paths. It is asked for other methods too: when it answers
  // 404, so does the router. Without a handler, all other paths do not exist.
  void set_fallback(Handler handler) { fallback_ = std::move(handler); }
  // Adds a function that is called when the headers of a request for this path have arrived, before the body
  // is read.
  void add_arrival(std::string path, std::function<Arrival(const Request&)> arrival) {
    arrivals_[std::move(path)] = std::move(arrival);
  }
  // The handler must outlive the router.
  void add_web_socket(const std::string& path, WebSocketHandler& handler) { web_sockets_[path] = &handler; }

  // The result of the path's arrival function; an empty one without it.
  Arrival arrive(const Request& request) const;
  // Answers a request whose body has arrived.
  Awaitable<Response> handle(const Request& request) const;
  // The handler of WebSockets at this path; null when there is none.
  WebSocketHandler* web_socket(std::string_view path) const;

 private:
  using Methods = std::map<std::string, Handler, std::less<>>;
  bool is_served(std::string_view path) const;
  const Methods* find(std::string_view path) const;

  std::map<std::string, Methods, std::less<>> routes_;
  std::map<std::string, Methods, std::less<>> folders_;  // the paths with "/*", without the asterisk
  std::map<std::string, WebSocketHandler*, std::less<>> web_sockets_;
  std::map<std::string, std::function<Arrival(const Request&)>, std::less<>> arrivals_;
  std::map<std::string, std::function<bool()>, std::less<>> conditions_;
  Handler fallback_;
};

}  // namespace turnpike::http
