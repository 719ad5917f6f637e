#include "net/tls_context.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>
#include <string_view>

namespace turnpike::net {
namespace {

// RFC 7443 §3, the preferred one first.
constexpr std::array<std::string_view, 2> kProtocols{"stun.turn", "stun.nat-discovery"};

// With forward secrecy and authenticated encryption alone; TLS 1.3 has no others.
constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

constexpr std::string_view kSessionContext = "turnpike";

[[noreturn]] void fail(const char* key, const std::string& file) {
  const unsigned long error = ERR_peek_error();
  const char* reason = ERR_SYSTEM_ERROR(error) ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  throw std::runtime_error(std::string(key) + ": " + file + ": " +
                           (reason ? reason : "cannot be read as PEM"));
}

bool offers(std::string_view list, std::string_view protocol) {
  while (!list.empty()) {
    const std::size_t size = static_cast<unsigned char>(list.front());
    if (list.substr(1, size) == protocol) return true;
    list.remove_prefix(std::min(1 + size, list.size()));
  }
  return false;
}

// A client that offers other protocols only is served all the same: it came to this port for TURN.
int select_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* list,
                    unsigned int list_size, void*) {
  const std::string_view offered(reinterpret_cast<const char*>(list), list_size);
  for (const std::string_view protocol : kProtocols) {
    if (!offers(offered, protocol)) continue;
    *chosen = reinterpret_cast<const unsigned char*>(protocol.data());
    *chosen_size = static_cast<unsigned char>(protocol.size());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

TlsContext::TlsContext(const std::string& certificate, const std::string& private_key)
    : context_(SSL_CTX_new(TLS_server_method())) {
  if (!context_) throw std::bad_alloc();
  SSL_CTX* context = context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_cipher_list(context, kTls12Ciphers);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                 static_cast<unsigned>(kSessionContext.size()));
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);

  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    fail("tls.certificate", certificate);
  if (SSL_CTX_use_PrivateKey_file(context, private_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    fail("tls.private_key", private_key);
  }
}

std::unique_ptr<SSL, TlsDeleter> TlsContext::new_session() const {
  std::unique_ptr<SSL, TlsDeleter> session(SSL_new(context_.get()));
  if (!session) throw std::bad_alloc();
  SSL_set_accept_state(session.get());
  return session;
}

}  // namespace turnpike::net
