// The call page out of the program itself: compressed where the browser takes that, revalidated by ETag, and
// under a Content-Security-Policy that lets it load nothing from elsewhere and run no inline script.
#pragma once

#include "http/message.hpp"

namespace turnpike::http {

Response call_page(const Request& request);

// The status page of the admin listener (src/admin/page), which the signaling endpoint does not serve.
Response status_page(const Request& request);

// Socket.IO's own client, for pages that load it from here. Without a policy: it is for whatever page.
Response socket_io_client(const Request& request);

}  // namespace turnpike::http
