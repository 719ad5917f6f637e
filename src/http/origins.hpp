// Which web pages may use this server from a browser: its own, and those of an allow list (CORS, Fetch §3.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"

namespace turnpike::http {

// An origin (RFC 6454 §6.1) as browsers write it: small letters, no port where it is the scheme's own. The
// one that has no name is "null". Nothing where no browser ever sends such an origin: it has a path, a user
// or a wildcard, or its host or port is none. A slash at the end is left out.
std::optional<std::string> normalized_origin(std::string_view text);

class Origins {
 public:
  // `allowed` are normalized origins; `public_host` is a name or an address by which clients know this
  // server, or empty.
  explicit Origins(std::vector<std::string> allowed, std::string public_host = {})
      : allowed_(std::move(allowed)), public_host_(std::move(public_host)) {}

  // Whether the request comes from no page, from one of our own, or from one on the list.
  bool allow(const Request& request) const;
  // Lets a page that is on the list read the response.
  void add_headers(const Request& request, Response& response) const;
  // The answer to a preflight (OPTIONS).
  Response preflight(const Request& request) const;

 private:
  bool is_own(const Request& request, std::string_view origin) const;
  bool is_listed(std::string_view origin) const;

  std::vector<std::string> allowed_;
  std::string public_host_;
};

}  // namespace turnpike::http
