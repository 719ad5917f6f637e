// A request and its response as handlers see them: no socket and no parser in sight, so that a handler is an
// ordinary function.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "net/fd.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::http {

using Executor = boost::asio::io_context::executor_type;
template <class T>
using Awaitable = boost::asio::awaitable<T, Executor>;

// All views live as long as the request does.
struct Request {
  std::string_view method;
  std::string_view target;  // as it came
  std::string path;         // percent-decoded, without the query
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string_view body;
  bool secure = false;    // https, as far as this server sees
  IpAddress client;       // behind trusted proxies, whom they speak for
  std::string_view host;  // that the client asked for, without its port; empty when it came through a proxy

  // For a handler that keeps its client waiting: calls `gone`, once, if the client goes away before it is
  // answered.
  std::function<void(std::function<void()> gone)> watch;

  // The first header of that name, whatever its case; empty without one.
  std::string_view header(std::string_view name) const;
  // All headers of that name as the one list that they are, in their order and with commas between them
  // (RFC 9110 §5.3); empty without one.
  std::string header_list(std::string_view name) const;
  // A value of the query, percent-decoded; nothing without it.
  std::optional<std::string> query(std::string_view name) const;
};

// An open file, sent from its start.
struct FileBody {
  net::Fd file;
  std::uint64_t size = 0;
};

struct Response {
  unsigned status = 200;
  std::vector<std::pair<std::string_view, std::string>> headers;  // names are literals
  std::variant<std::string, std::string_view, FileBody> body;     // a view is of static data

  void set(std::string_view name, std::string value) { headers.emplace_back(name, std::move(value)); }
};

// A plain text, for people who look: "404 Not Found".
Response error_response(unsigned status, std::string_view text);
Response json_response(std::string body);

using Handler = std::function<Awaitable<Response>(const Request&)>;

// Takes the path and the query of an origin-form target (RFC 9112 §3.2.1); false when it is none.
bool parse_target(std::string_view target, Request& request);

// The host of "example.org:8080" or "[::1]:8080": "example.org", "::1".
std::string_view host_without_port(std::string_view authority);

}  // namespace turnpike::http
