// Where somebody finds by https what was asked for by plain http, at the same port.
#pragma once

#include "http/message.hpp"

namespace turnpike::http {

// RFC 9110 §15.4.9; 400 when the request does not say whom it was for.
Response to_https(const Request& request);

}  // namespace turnpike::http
