// Redirects a plain http request to https at the same host and port.
#pragma once

#include "http/message.hpp"

namespace turnpike::http {

// Answers 308 (RFC 9110 §15.4.9), or 400 when the request names no host.
Response to_https(const Request& request);

}  // namespace turnpike::http
