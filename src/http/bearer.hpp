// The token of an Authorization header (RFC 6750 §2.1).
#pragma once

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <string_view>

#include "http/message.hpp"

namespace turnpike::http {

// The token of the request; it views the request. Empty when there is none.
inline std::string_view bearer_token(const Request& request) {
  constexpr std::string_view kScheme = "Bearer ";  // more spaces may follow (RFC 9110 §11.4)
  const std::string_view value = request.header("authorization");
  if (value.size() < kScheme.size() || !boost::beast::iequals(value.substr(0, kScheme.size()), kScheme))
    return {};
  return value.substr(std::min(value.find_first_not_of(' ', kScheme.size()), value.size()));
}

}  // namespace turnpike::http
