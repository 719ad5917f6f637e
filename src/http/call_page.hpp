// Serves the call page from the files in the program: compressed when the browser accepts gzip, revalidated
// by ETag, and with a Content-Security-Policy that forbids content from other servers and inline scripts.
#pragma once

#include "http/message.hpp"

namespace turnpike::http {

Response call_page(const Request& request);

// The status page of the admin listener (src/admin/page), which the signaling endpoint does not serve.
Response status_page(const Request& request);

// The client library of Socket.IO, for pages that load it from this server. It has no
// Content-Security-Policy, since any page may load it.
Response socket_io_client(const Request& request);

}  // namespace turnpike::http
