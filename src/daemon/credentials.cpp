#include "daemon/credentials.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/post.hpp>
#include <new>
#include <utility>

#include "cluster/seal.hpp"
#include "net/system_random.hpp"
#include "relay/clock.hpp"
#include "turnpike/crypto/base64.hpp"

namespace turnpike::daemon {

void add_missing_secret(config::Config& config) {
  if (config.cluster.is_enabled()) {
    // Credentials that one node issues must be valid on all others, whatever else each of them accepts.
    std::vector<std::string> secrets;
    secrets.reserve(config.cluster.secrets.size());
    for (const std::string& secret : config.cluster.secrets) {
      secrets.push_back(cluster::credential_secret(secret));
    }
    config.auth.secrets.insert(config.auth.secrets.begin(), secrets.begin(), secrets.end());
    return;
  }
  if (!config.signaling.enabled || !config.auth.secrets.empty()) return;
  std::array<std::uint8_t, 32> secret;
  net::SystemRandom().fill(secret);
  config.auth.secrets.push_back(crypto::base64_encode(secret));
  config.secret_is_made_up = true;
}

// Freeing many users takes so long that calls would suffer. So the last owner, which may be a worker, leaves
// it to the main thread.
Credentials::Snapshot Credentials::make_snapshot(const auth::CredentialStore& store) const {
  auth::CredentialStore::RefusedUsers refused;
  for (const auth::Revocation& one : list_revoked()) {
    if (one.kind == auth::Revocation::Kind::user) refused.emplace(one.name, one.until);
  }
  return {new auth::CredentialStore(store.with_refused(std::move(refused))),
          [&io = io_](const auth::CredentialStore* last) {
            std::unique_ptr<const auth::CredentialStore> owned(last);
            try {
              boost::asio::post(io, [owned = std::move(owned)] {});
            } catch (const std::bad_alloc&) {
              // The users are freed by now. Nothing may be thrown here, since that would end the process.
            }
          }};
}

std::vector<auth::Revocation> Credentials::list_revoked() const {
  return revocations_.list(relay::read_clocks().wall);
}

void Credentials::warn_about_algorithms() {
  const bool lacks_sha256 = !now_->offers(stun::PasswordAlgorithm::sha256);
  if (lacks_sha256 && !warned_of_algorithms_) {
    spdlog::warn(
        "auth: some users have no key_sha256, so turnpike offers MD5 only to all clients until these users "
        "have a new password");
  }
  warned_of_algorithms_ = lacks_sha256;
}

}  // namespace turnpike::daemon
