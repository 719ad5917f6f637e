// Conditional requests (RFC 9110 §13): whether what the client has is still what is here.
#pragma once

#include <string>

#include "http/message.hpp"

namespace turnpike::http {

inline std::string quoted_etag(const std::string& tag) { return '"' + tag + '"'; }

// If-None-Match against an entity tag in quotes, compared weakly (§8.8.3.2).
inline bool is_unchanged(const Request& request, const std::string& etag) {
  const std::string_view known = request.header("if-none-match");
  return known == "*" || known.find(etag) != std::string_view::npos;
}

}  // namespace turnpike::http
