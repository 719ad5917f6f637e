// Redirects a plain http request to https at the same host.
#pragma once

#include "http/message.hpp"
#include "net/accepted_connection.hpp"

namespace turnpike::http {

// Answers 308 (RFC 9110 §15.4.9), or 400 when the request names no host. `where` is not `no`.
Response to_https(const Request& request, net::ToHttps where);

}  // namespace turnpike::http
