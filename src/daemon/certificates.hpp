// The certificates of all TLS and DTLS listeners, and how they are read anew while the daemon runs: to renew
// a certificate is to put new files in place of the old ones and to reload.
#pragma once

#include <memory>
#include <string>

#include "net/tls_context.hpp"

namespace turnpike::daemon {

class Certificates {
 public:
  // Null where `params` name none. Throws std::runtime_error with a message for the operator.
  static std::unique_ptr<Certificates> load(const net::TlsParams& params);

  // For new connections. Both live as long as this object.
  const net::CurrentTls& tls() const { return tls_; }
  const net::CurrentTls& dtls() const { return dtls_; }
  // The name that the first certificate had at the start; empty without one that a URL can have.
  const std::string& public_name() const { return public_name_; }
  // Whether one of the certificates that were there at the start has this name.
  bool is_for(const std::string& name) const;

  // Reads the files again, and shows new connections what they hold; those that are there keep what they
  // have. Throws std::runtime_error, and has changed nothing, when one of the files cannot be used. From one
  // thread at a time.
  void reload();

 private:
  explicit Certificates(const net::TlsParams& params);

  net::TlsParams params_;
  std::shared_ptr<net::TicketKeys> ticket_keys_;
  net::CurrentTls tls_;
  net::CurrentTls dtls_;
  std::string public_name_;
  std::vector<net::Certificate> first_;  // those of the start
};

}  // namespace turnpike::daemon
