#include "daemon/own_names.hpp"

#include <string>
#include <utility>
#include <vector>

namespace turnpike::daemon {

OwnNames::OwnNames(const config::SignalingParams& signaling, const Certificates* tls)
    : tls_(tls), hosts_(make(signaling)) {}

std::shared_ptr<const http::Hosts> OwnNames::make(const config::SignalingParams& signaling) const {
  std::vector<std::string> names = signaling.hosts;
  if (!signaling.public_host.empty()) names.push_back(signaling.public_host);
  std::function<bool(const std::string&)> is_certified;
  if (tls_) is_certified = [tls = tls_](const std::string& name) { return tls->is_for(name); };
  return std::make_shared<const http::Hosts>(std::move(names), std::move(is_certified));
}

void OwnNames::use(const config::SignalingParams& signaling) {
  std::shared_ptr<const http::Hosts> hosts = make(signaling);
  const std::lock_guard lock(mutex_);
  hosts_.swap(hosts);
}

bool OwnNames::has(std::string_view name) const {
  std::unique_lock lock(mutex_);
  const std::shared_ptr<const http::Hosts> hosts = hosts_;
  lock.unlock();
  return hosts->allows(name);
}

}  // namespace turnpike::daemon
