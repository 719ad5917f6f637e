// A certificate with its chain and its private key, read from PEM, and the names in the certificate.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "turnpike/base/time.hpp"

namespace turnpike::net {

// Where PEM text comes from: a file, or an environment variable.
struct PemSource {
  enum class Kind : std::uint8_t { file, variable };
  std::string name;
  Kind kind = Kind::file;

  bool empty() const { return name.empty(); }
  bool is_file() const { return kind == Kind::file && !empty(); }
  // For messages: the name of the file, or "environment variable NAME".
  std::string describe() const;
};

struct CertificateSources {
  PemSource certificate;  // the certificate, followed by its chain
  PemSource private_key;

  bool complete() const { return !certificate.empty() && !private_key.empty(); }
};

// The part of the configuration about TLS. It is plain data, which config/ fills.
struct TlsParams : CertificateSources {
  std::vector<CertificateSources> certificates;  // additional certificates for other names
  bool only_tls_1_3 = false;                     // for TLS only; OpenSSL 3 has no DTLS newer than 1.2
  // Cipher names as OpenSSL writes them, separated by colons. Names that begin with TLS_ are those of TLS
  // 1.3. A TLS version without any name in the list uses its default ciphers.
  std::string ciphers{};

  // Whether there is a certificate. Without one, there is no TLS.
  bool complete() const { return CertificateSources::complete() || !certificates.empty(); }
};

// Why certificates cannot be used: all that is wrong with them, in messages for the operator. Each message
// begins with a key of the configuration and names the source.
class UnusableCertificates : public std::runtime_error {
 public:
  explicit UnusableCertificates(std::vector<std::string> faults);

  const std::vector<std::string>& faults() const { return faults_; }

 private:
  std::vector<std::string> faults_;
};

// Immutable, and cheap to copy.
class Certificate {
 public:
  // Reads both sources; `path` is the key of the configuration that names them. Adds a message for each fault
  // to `faults` (see UnusableCertificates). Returns nothing when there was a fault, or when one of the
  // sources is empty; the other one is read in any case. It never asks for a passphrase.
  static std::optional<Certificate> load(const CertificateSources& sources, const std::string& path,
                                         std::vector<std::string>& faults);

  // Whether the certificate is valid for this name, also by a wildcard (RFC 6125 §6.4).
  bool is_for(const std::string& name) const;
  // The first DNS name that a URL can have: not a wildcard and not localhost. Empty when there is none.
  std::string public_name() const;

  // The times between which the certificate is valid.
  WallTime not_before() const;
  WallTime not_after() const;

  // The key of the configuration that named its source, and the source, for messages.
  const std::string& source() const { return source_; }

  // Whether a cipher of TLS 1.2 or DTLS 1.2 can be used with the key.
  bool suits(const SSL_CIPHER* cipher) const;

  void use_for(SSL_CTX* context) const;
  // Uses this certificate in place of the one of the session's context. Returns false when that is not
  // possible.
  bool use_for(SSL* session) const;

 private:
  explicit Certificate(std::string source);
  X509* leaf() const { return SSL_CTX_get0_certificate(loaded_.get()); }

  std::string source_;
  std::shared_ptr<SSL_CTX> loaded_;  // contains the certificate, its chain and the key
};

// Loads all certificates of `params`. The first one is the default for clients that ask for an unknown name
// or for none. Throws UnusableCertificates.
std::vector<Certificate> load_certificates(const TlsParams& params);

}  // namespace turnpike::net
