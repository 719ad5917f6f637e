// What the targets of both TLS endpoints share: contexts made once for the process, and OpenSSL's client over
// memory.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>
#include <vector>

#include "net/tls_context.hpp"
#include "support/certificate.hpp"
#include "support/sealed_records.hpp"
#include "support/temporary_folder.hpp"
#include "turnpike/base/bytes.hpp"

namespace turnpike::fuzz {

using Octets = std::vector<std::uint8_t>;

inline const net::TlsContext& server_context(net::TlsKind kind) {
  static const net::TlsContext* const made = [&] {
    const test::TemporaryFolder folder;
    const test::Certificate pem = test::make_certificate();
    return new net::TlsContext(folder.write("certificate.pem", pem.certificate),
                               folder.write("key.pem", pem.private_key), kind);
  }();
  return *made;
}

// `version` is a version of TLS, or 0 for DTLS. The client's output is read from its own BIO.
class Client {
 public:
  explicit Client(int version) : ssl_(SSL_new(context(version == 0))) {
    if (version != 0) SSL_set_min_proto_version(ssl_.get(), version);
    if (version != 0) SSL_set_max_proto_version(ssl_.get(), version);
    SSL_set_cipher_list(ssl_.get(), test::kSealedCipher);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (version == 0) SSL_set_options(ssl_.get(), SSL_OP_NO_QUERY_MTU);
    if (version == 0) SSL_set_mtu(ssl_.get(), 1200);
    SSL_set_connect_state(ssl_.get());
    BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
  }

  SSL* ssl() { return ssl_.get(); }
  bool is_established() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  // Continues the handshake, or reads.
  void advance() {
    Octets text(20000);
    ERR_clear_error();
    (void)SSL_read(ssl_.get(), text.data(), static_cast<int>(text.size()));
  }
  void hear(Bytes wire) {
    if (!wire.empty()) BIO_write(SSL_get_rbio(ssl_.get()), wire.data(), static_cast<int>(wire.size()));
    advance();
  }
  // Returns everything that the client has written since the last call.
  Octets said() {
    BIO* wire = SSL_get_wbio(ssl_.get());
    Octets all(static_cast<std::size_t>(BIO_pending(wire)));
    if (!all.empty()) BIO_read(wire, all.data(), static_cast<int>(all.size()));
    return all;
  }

 private:
  static SSL_CTX* context(bool dtls) {
    static SSL_CTX* const made = SSL_CTX_new(dtls ? DTLS_client_method() : TLS_client_method());
    return made;
  }

  net::TlsSession ssl_;
};

}  // namespace turnpike::fuzz
