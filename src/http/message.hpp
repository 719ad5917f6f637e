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
  std::string target;  // "/a%20b?c=d" in whatever form it came, percent-encoded where it must be; or "*"
  std::string path;    // percent-decoded, without the query
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string_view body;
  bool secure = false;  // https, as far as this server sees
  bool by_unix_socket = false;
  IpAddress client;      // behind trusted proxies, whom they speak for
  bool proxied = false;  // it came from a proxy that is trusted
  // Whom the client asked for, "example.org:8080": the authority of a target in absolute form, else the Host
  // (RFC 9112 §3.2.2). Empty where a client of HTTP/1.0 did not say.
  std::string_view authority;
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
  // A value of a body that is a form (application/x-www-form-urlencoded); nothing without it.
  std::optional<std::string> form(std::string_view name) const;
};

// A part of an open file: `size` octets from `start` on.
struct FileBody {
  net::Fd file;
  std::uint64_t start = 0;
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

// A response whose body is in memory, as the octets of a connection that ends with it: for those who have no
// connection to write it on.
std::string to_octets(const Response& response);

using Handler = std::function<Awaitable<Response>(const Request&)>;

enum class HttpVersion : std::uint8_t { http_1_0, http_1_1 };

// Takes target, path and authority out of the target as it came and of the Host, in every form that RFC 9112
// §3.2 has for servers. The request has its method and its headers already. Returns what is wrong, for the
// text of a 400; nothing where all is right.
std::optional<std::string_view> take_target(std::string_view target, HttpVersion version, Request& request);

// A host without brackets, and a port that may be absent.
struct HostAndPort {
  std::string_view host;
  std::string_view port;  // digits, at most 65535; empty where there is none
};
// "example.org:8080", "[::1]:8080" (RFC 3986 §3.2). Nothing for what is none, or has user information.
std::optional<HostAndPort> parse_host_and_port(std::string_view authority);

// The host of such an authority; empty for what is none.
std::string_view host_without_port(std::string_view authority);

}  // namespace turnpike::http
