// Whether a client accepts a gzip representation (RFC 9110 §12.5.3).
#pragma once

#include <string_view>

namespace turnpike::http {

// `accept_encoding` is the value of the header as one list. Returns false when it does not mention gzip.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace turnpike::http
