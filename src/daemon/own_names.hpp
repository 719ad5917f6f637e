// Decides whether a name that a client asks for is ours. Other names belong to the web server behind the
// listener.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>

#include "config/config.hpp"
#include "daemon/certificates.hpp"
#include "http/hosts.hpp"

namespace turnpike::daemon {

// Thread-safe.
class OwnNames {
 public:
  // `tls` may be null; otherwise it must outlive this object. Its certificates may change.
  OwnNames(const config::SignalingParams& signaling, const Certificates* tls);

  // Changes public_host and hosts.
  void use(const config::SignalingParams& signaling);
  // Whether `name` is ours: a name of a certificate (also by a wildcard), public_host or hosts of signaling,
  // localhost, or an IP address.
  bool has(std::string_view name) const;

 private:
  std::shared_ptr<const http::Hosts> make(const config::SignalingParams& signaling) const;

  const Certificates* tls_;
  mutable std::mutex mutex_;
  std::shared_ptr<const http::Hosts> hosts_;
};

}  // namespace turnpike::daemon
