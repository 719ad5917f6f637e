// A certificate with its chain and its private key, read from PEM files, and the names that it is for.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "turnpike/base/time.hpp"

namespace turnpike::net {

// PEM files.
struct CertificateFiles {
  std::string certificate;  // with its chain
  std::string private_key;

  bool complete() const { return !certificate.empty() && !private_key.empty(); }
};

// What the operator says about TLS. Plain data, filled by config/.
struct TlsParams : CertificateFiles {
  std::vector<CertificateFiles> certificates;  // more of them, for other names
  bool only_tls_1_3 = false;                   // of TLS; DTLS 1.2 is the newest that there is here
  // As OpenSSL writes them: names with colons between them. Those of TLS 1.3 begin with TLS_. Where none of a
  // version is named, those of the default hold for it.
  std::string ciphers{};

  // False without a certificate, and then there is no TLS.
  bool complete() const { return CertificateFiles::complete() || !certificates.empty(); }
};

// Immutable, and cheap to copy.
class Certificate {
 public:
  // Throws std::runtime_error with a message for the operator that names the file, and the key `path` of the
  // configuration. No passphrase is ever asked for.
  Certificate(const CertificateFiles& files, const std::string& path);

  // Whether it has this name, by a wildcard too (RFC 6125 §6.4).
  bool is_for(const std::string& name) const;
  // The first name that a URL can have: no wildcard, not localhost. Empty without.
  std::string public_name() const;

  // When it expires.
  WallTime not_after() const;

  void use_for(SSL_CTX* context) const;
  // In place of what it shows by its context; false when that is not possible.
  bool use_for(SSL* session) const;

 private:
  X509* leaf() const { return SSL_CTX_get0_certificate(loaded_.get()); }

  std::shared_ptr<SSL_CTX> loaded_;  // holds the three together
};

// All of `params`, the one to show to whoever asks for no known name first. Throws as Certificate does.
std::vector<Certificate> load_certificates(const TlsParams& params);

}  // namespace turnpike::net
