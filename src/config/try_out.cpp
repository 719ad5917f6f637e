#include <exception>
#include <stdexcept>

#include "config/config.hpp"
#include "net/certificate.hpp"
#include "net/tls_context.hpp"
#include "turnpike/crypto/digest.hpp"

namespace turnpike::config {

auth::CredentialStore make_credentials(const auth::Params& params) {
  try {
    crypto::Digester digester;
    return auth::CredentialStore(params, digester);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(std::string("auth.users: ") + error.what());
  }
}

std::optional<std::string> find_fault(const Config& config) {
  try {
    make_credentials(config.auth);
    if (!config.tls.complete()) return std::nullopt;
    const auto keys = std::make_shared<net::TicketKeys>();
    for (const net::TlsKind kind : {net::TlsKind::tls, net::TlsKind::dtls})
      net::TlsContext(config.tls, keys, kind);
    net::load_certificates(config.tls);
    return std::nullopt;
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace turnpike::config
