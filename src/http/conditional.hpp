// Conditional requests (RFC 9110 §13): whether what the client has is still what is here.
#pragma once

#include <string>

#include "http/message.hpp"

namespace turnpike::http {

inline std::string quoted_etag(const std::string& tag) { return '"' + tag + '"'; }

// If-None-Match against an entity tag in quotes, compared weakly (§8.8.3.2). A tag holds no quote itself, so
// that it stands nowhere in the list but as one of its members.
inline bool is_unchanged(const Request& request, const std::string& etag) {
  const std::string known = request.header_list("if-none-match");
  return known == "*" || known.find(etag) != std::string::npos;
}

// If-Range (§13.1.5), compared strongly: whether a part may be sent. We tell no dates, so that none is ours.
inline bool is_same_for_range(const Request& request, const std::string& etag) {
  const std::string_view known = request.header("if-range");
  return known.empty() || known == etag;
}

}  // namespace turnpike::http
