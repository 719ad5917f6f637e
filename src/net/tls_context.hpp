// What TLS listeners show and accept: the operator's certificate, TLS 1.2 and 1.3, and the protocols of
// RFC 7443. One context serves the connections of all threads.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace turnpike::net {

struct TlsDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};

// Immutable. Sessions are resumed by tickets, which any thread can read and none has to remember.
class TlsContext {
 public:
  // Both are PEM files, the first one with its chain. Throws std::runtime_error with a message for the
  // operator, which names the file.
  TlsContext(const std::string& certificate, const std::string& private_key);

  // The server's side of a new connection; throws std::bad_alloc.
  std::unique_ptr<SSL, TlsDeleter> new_session() const;

 private:
  std::unique_ptr<SSL_CTX, TlsDeleter> context_;
};

}  // namespace turnpike::net
