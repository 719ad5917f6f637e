// The web pages that may use this server from a browser: its own, and those of an allow list (CORS, Fetch
// §3.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"

namespace turnpike::http {

// Normalizes an origin (RFC 6454 §6.1) to the form that browsers use: lower case, and no port if it is the
// default of the scheme. A slash at the end is removed. An opaque origin is "null", and so is that of a file.
// Nothing when no browser sends such an origin: it has a path, a user or a wildcard, or a malformed host or
// port.
std::optional<std::string> normalized_origin(std::string_view text);

class Origins {
 public:
  // `allowed` are normalized origins. `public_host` is a name or an address of this server, or empty.
  explicit Origins(std::vector<std::string> allowed, std::string public_host = {})
      : allowed_(std::move(allowed)), public_host_(std::move(public_host)) {}

  // Whether the request comes from no page, from a page of this server, or from a page on the list. An origin
  // of ws or wss is read as one of http or https.
  bool allows(const Request& request) const;
  // Adds the CORS headers that let a page on the list read the response.
  void add_headers(const Request& request, Response& response) const;
  // Answers a preflight request (OPTIONS).
  Response preflight(const Request& request) const;

 private:
  bool is_own(const Request& request, std::string_view origin) const;
  std::string allowed_headers(const Request& request) const;
  bool is_listed(std::string_view origin) const;

  std::vector<std::string> allowed_;
  std::string public_host_;
};

}  // namespace turnpike::http
