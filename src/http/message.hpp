// Requests and responses as handlers see them. They contain no socket and no parser, so a handler is an
// ordinary function.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "net/asio_types.hpp"
#include "net/fd.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::http {

using net::Awaitable;

// All views are valid as long as the request.
struct Request {
  std::string_view method;
  std::string target;  // "/a%20b?c=d" in origin form, percent-encoded where necessary; or "*"
  std::string path;    // percent-decoded, without the query
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string_view body;
  bool secure = false;  // whether the connection to this server uses TLS
  bool by_unix_socket = false;
  IpAddress client;      // behind trusted proxies, the client that they name
  bool proxied = false;  // the connection comes from a trusted proxy
  // The host and port that the client asked for, "example.org:8080": the authority of a target in absolute
  // form, otherwise the Host header (RFC 9112 §3.2.2). Empty when a client of HTTP/1.0 sent none.
  std::string_view authority;
  std::string_view host;  // the requested host without its port; empty when the request came through a proxy

  // For a handler that does not answer at once: it calls `gone`, once, when the client disconnects before the
  // answer.
  std::function<void(std::function<void()> gone)> watch;

  // The value of the first header with this name, in any case; empty when there is none.
  std::string_view header(std::string_view name) const;
  // The values of all headers with this name, joined with commas in their order (RFC 9110 §5.3); empty when
  // there is none.
  std::string header_list(std::string_view name) const;
  // A parameter of the query, percent-decoded; nothing when it is absent.
  std::optional<std::string> query(std::string_view name) const;
  // The names of all parameters of the query, percent-decoded.
  std::vector<std::string> query_names() const;
  // A field of a form in the body (application/x-www-form-urlencoded); nothing when it is absent.
  std::optional<std::string> form(std::string_view name) const;
};

// Removes the last member of a list and returns it without white space. Empty members do not count (RFC 9110
// §5.6.1.2). Returns an empty text when none is left.
std::string_view take_last_member(std::string_view& list);

// A part of an open file: `size` octets from offset `start`.
struct FileBody {
  net::Fd file;
  std::uint64_t start = 0;
  std::uint64_t size = 0;
};

struct Response {
  unsigned status = 200;
  std::vector<std::pair<std::string_view, std::string>> headers;  // names are string literals
  std::variant<std::string, std::string_view, FileBody> body;     // a string_view must view static data

  void set(std::string_view name, std::string value) { headers.emplace_back(name, std::move(value)); }
  bool has(std::string_view name) const;  // written as here
};

// A plain text for people: "404 Not Found", followed by `text`.
Response error_response(unsigned status, std::string_view text);
// The answer at a path that serves only a WebSocket (RFC 9110 §15.5.22).
Response upgrade_required(std::string_view text);
// The answer to a request whose page has an origin that Origins does not allow.
Response origin_forbidden();
Response json_response(std::string body);

// Writes a response with a body in memory as the octets of a connection that ends with it. It is for callers
// without an HTTP connection.
std::string to_octets(const Response& response);

using Handler = std::function<Awaitable<Response>(const Request&)>;

enum class HttpVersion : std::uint8_t { http_1_0, http_1_1 };

// Sets target, path and authority of the request from the received target and the Host header, in all forms
// of RFC 9112 §3.2. The request must have its method and headers already. Returns the fault, as a text for a
// 400 answer; nothing when there is none.
std::optional<std::string_view> take_target(std::string_view target, HttpVersion version, Request& request);

// A host without brackets, and an optional port.
struct HostAndPort {
  std::string_view host;
  std::string_view port;  // digits, at most 65535; empty when there is none
};
// Parses "example.org:8080" or "[::1]:8080" (RFC 3986 §3.2). Nothing for any other form, or with user
// information.
std::optional<HostAndPort> parse_host_and_port(std::string_view authority);

// The host of such an authority; empty when it is malformed.
std::string_view host_without_port(std::string_view authority);

}  // namespace turnpike::http
