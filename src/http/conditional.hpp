// Conditional requests (RFC 9110 §13): whether the copy of the client is still current.
#pragma once

#include <string>

#include "http/message.hpp"

namespace turnpike::http {

inline std::string quoted_etag(const std::string& tag) { return '"' + tag + '"'; }

// Compares If-None-Match with an entity tag in quotes, by weak comparison (§8.8.3.2). Our tags contain no
// quotes, so a simple search finds only whole members of the list.
inline bool is_unchanged(const Request& request, const std::string& etag) {
  const std::string known = request.header_list("if-none-match");
  return known == "*" || known.find(etag) != std::string::npos;
}

// Compares If-Range (§13.1.5), by strong comparison: whether a part may be sent. A date never matches, since
// we send no Last-Modified.
inline bool is_same_for_range(const Request& request, const std::string& etag) {
  const std::string_view known = request.header("if-range");
  return known.empty() || known == etag;
}

}  // namespace turnpike::http
