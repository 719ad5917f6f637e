#include "daemon/credentials.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "relay/clock.hpp"

namespace turnpike::daemon {

// Freeing many users takes so long that calls would suffer. So the last owner, which may be a worker, leaves
// it to the control thread.
Credentials::Snapshot Credentials::make_snapshot(const auth::CredentialStore& store) const {
  auth::CredentialStore::RefusedUsers refused;
  for (const auth::Revocation& one : list_revoked()) {
    if (one.kind == auth::Revocation::Kind::user) refused.emplace(one.name, one.until);
  }
  return {new auth::CredentialStore(store.with_refused(std::move(refused))),
          [&io = io_](const auth::CredentialStore* last) {
            boost::asio::post(io, [owned = std::unique_ptr<const auth::CredentialStore>(last)] {});
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
