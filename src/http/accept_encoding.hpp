// Whether a client takes a representation in gzip (RFC 9110 §12.5.3).
#pragma once

#include <string_view>

namespace turnpike::http {

// `accept_encoding` is the header as one list. Where it does not say, the client gets what is not compressed.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace turnpike::http
