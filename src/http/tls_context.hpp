// What an https listener shows and accepts: the operator's certificate, TLS 1.2 and 1.3.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <string>

#include "http/params.hpp"

namespace turnpike::http {

// Throws std::runtime_error with a message for the operator.
boost::asio::ssl::context make_tls_context(const TlsParams& params);

// The first name that the certificate is for, where it is one that a URL can have: no wildcard. Empty
// without.
std::string certificate_name(const TlsParams& params);

}  // namespace turnpike::http
