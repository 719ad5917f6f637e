// The certificates of all TLS and DTLS listeners. They can be read again while the daemon runs: to renew a
// certificate, replace its files.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/file_state.hpp"
#include "net/tls_context.hpp"

namespace turnpike::daemon {

class Certificates {
 public:
  // Certificates that were read from files and are not used yet.
  struct Loaded {
    net::TlsParams params;
    std::vector<FileState> states;  // of its files, before they were read
    std::shared_ptr<const net::TlsContext> tls;
    std::shared_ptr<const net::TlsContext> dtls;
    std::shared_ptr<const std::vector<net::Certificate>> certificates;
  };

  // Returns null when `params` name no certificate. Throws std::runtime_error with a message for the
  // operator.
  static std::unique_ptr<Certificates> load(const net::TlsParams& params,
                                            const std::shared_ptr<net::TicketKeys>& keys);

  // The contexts for new connections. Both live as long as this object.
  const net::CurrentTls& tls() const { return tls_; }
  const net::CurrentTls& dtls() const { return dtls_; }
  // The name that the first certificate has; empty without one that a URL can have. From any thread.
  std::string public_name() const { return certificates()->front().public_name(); }
  // Whether one of the certificates has this name. From any thread.
  bool is_for(const std::string& name) const;
  // The latest. From any thread.
  std::shared_ptr<const std::vector<net::Certificate>> certificates() const;
  // Their files, which are read again when they change.
  std::vector<std::string> files() const;

  // Reads the files of `params`, and changes nothing. Throws std::runtime_error with a message for the
  // operator when one of them cannot be used.
  Loaded read(const net::TlsParams& params) const;
  // Reads the present files again if they have changed since the certificates in use were read. Throws like
  // read().
  std::optional<Loaded> read_changes() const;
  // Warnings for the operator about certificates that can be used but are not valid at `now`.
  std::vector<std::string> warnings(WallTime now) const;
  // Uses the loaded certificates for new connections. Existing connections keep theirs. Only one thread at a
  // time may call this.
  void use(Loaded loaded);

 private:
  Certificates(std::shared_ptr<net::TicketKeys> keys, Loaded loaded);

  net::TlsParams params_;
  std::vector<FileState> states_;  // of the files, before those in use were read
  std::shared_ptr<net::TicketKeys> ticket_keys_;
  net::CurrentTls tls_;
  net::CurrentTls dtls_;
  mutable std::mutex mutex_;
  std::shared_ptr<const std::vector<net::Certificate>> certificates_;
};

}  // namespace turnpike::daemon
