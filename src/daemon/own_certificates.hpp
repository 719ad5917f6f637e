// The certificates of this daemon, if a listener needs some. While the daemon runs, this class follows
// changes of their files.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "daemon/certificate_follower.hpp"
#include "daemon/certificates.hpp"

namespace turnpike::daemon {

class OwnCertificates {
 public:
  // `certificates` may be null.
  explicit OwnCertificates(std::unique_ptr<Certificates> certificates)
      : certificates_(std::move(certificates)) {}

  // Null when no listener needs a certificate. It lives as long as this object.
  const Certificates* get() const { return certificates_.get(); }
  // The contexts for new connections; null when no listener needs a certificate.
  const net::CurrentTls* tls() const { return certificates_ ? &certificates_->tls() : nullptr; }
  const net::CurrentTls* dtls() const { return certificates_ ? &certificates_->dtls() : nullptr; }

  // Begins to read the certificates again when their files change, and calls `renewed` each time that those
  // of changed files have come into use; use() does not call it. `io` must outlive this object.
  void follow(boost::asio::io_context& io, std::function<void()> renewed);
  // Uses certificates that a reload has read from the files of a new configuration. Call it only while this
  // object follows the files, and not when get() is null.
  void use(Certificates::Loaded loaded);
  // Leaves the io_context without work of this object's.
  void stop();

 private:
  const std::unique_ptr<Certificates> certificates_;
  std::optional<CertificateFollower> follower_;  // since follow()
};

}  // namespace turnpike::daemon
