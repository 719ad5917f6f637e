// Which of the names that clients ask for are ours, where the others are those of a web server behind a
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
  // `tls`, null where there is none, outlives this; its certificates may change.
  OwnNames(const config::SignalingParams& signaling, const Certificates* tls);

  // From now on these hold.
  void use(const config::SignalingParams& signaling);
  // The names of the certificates, by wildcards too, signaling's public_host and hosts, localhost and
  // addresses.
  bool has(std::string_view name) const;

 private:
  std::shared_ptr<const http::Hosts> make(const config::SignalingParams& signaling) const;

  const Certificates* tls_;
  mutable std::mutex mutex_;
  std::shared_ptr<const http::Hosts> hosts_;
};

}  // namespace turnpike::daemon
