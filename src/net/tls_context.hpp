// The OpenSSL context of TLS and DTLS listeners: the operator's certificates, TLS 1.2 and 1.3 or DTLS 1.2,
// and the ALPN protocols of RFC 7443 and of HTTP. All threads share one context.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "net/certificate.hpp"
#include "net/ticket_keys.hpp"

namespace turnpike::net {

struct TlsDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};
using TlsSession = std::unique_ptr<SSL, TlsDeleter>;

enum class TlsKind : std::uint8_t { tls, dtls };

// The protocols that clients of a listener may select by ALPN.
enum class TlsUse : std::uint8_t {
  turn,  // stun.turn and stun.nat-discovery
  http,  // http/1.1
  any_of_them
};

// What is wrong with TlsParams::ciphers, whatever the certificates are; nothing when it can be used.
std::optional<std::string> find_cipher_fault(const std::string& ciphers);

// Immutable. Sessions are resumed by tickets, which any thread can decrypt, so nothing is stored for them. A
// connection keeps the context that it began with, even after the TlsContext was destroyed.
class TlsContext {
 public:
  // Throws std::runtime_error with a message for the operator, which names the file. A client that names a
  // host (RFC 6066 §3) gets the first certificate with that name. Other clients get the first certificate.
  TlsContext(const TlsParams& params, std::shared_ptr<TicketKeys> keys, TlsKind kind = TlsKind::tls);
  TlsContext(const std::string& certificate, const std::string& private_key, TlsKind kind = TlsKind::tls);

  // Makes the server's side of a new connection. Throws std::bad_alloc.
  TlsSession new_session(TlsUse use = TlsUse::turn) const;

 private:
  std::unique_ptr<SSL_CTX, TlsDeleter> context_;
};

// The context for new connections. Thread-safe.
class CurrentTls {
 public:
  explicit CurrentTls(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {}

  std::shared_ptr<const TlsContext> get() const {
    const std::lock_guard lock(mutex_);
    return context_;
  }
  void replace(std::shared_ptr<const TlsContext> context) {
    const std::lock_guard lock(mutex_);
    context_.swap(context);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsContext> context_;
};

}  // namespace turnpike::net
