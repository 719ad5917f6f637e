// The credentials of all users, and what operators have revoked of them. The workers get immutable snapshots.
// Each change on the main thread makes a new one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "turnpike/auth/credentials.hpp"
#include "turnpike/auth/revocations.hpp"

namespace turnpike::daemon {

// Adds a secret for signaling, which makes relay credentials with the first secret. In a cluster, the secret
// is the same on all nodes. Otherwise a random one is made for this run, when signaling is on and no secret
// is configured; Config::secret_is_made_up says so.
void add_missing_secret(config::Config& config);

class Credentials {
 public:
  using Snapshot = std::shared_ptr<const auth::CredentialStore>;

  // `io` must outlive this object and all snapshots.
  Credentials(boost::asio::io_context& io, const auth::CredentialStore& store)
      : io_(io), now_(make_snapshot(store)) {}

  const Snapshot& now() const { return now_; }
  bool are_empty() const { return now_->empty(); }
  // Makes a snapshot of `store` that refuses the users who are revoked now.
  Snapshot make_snapshot(const auth::CredentialStore& store) const;
  void use(Snapshot snapshot) { now_ = std::move(snapshot); }

  // See auth::Revocations. Users who are revoked are refused from the next snapshot on.
  bool add(const auth::Revocation& revocation, WallTime now) { return revocations_.add(revocation, now); }
  bool includes(const auth::Revocation& revocation) const { return revocations_.includes(revocation); }
  std::vector<auth::Revocation> list_revoked() const;

  // Warns once about users without a key for SHA-256, and again only after no user has lacked one in between.
  void warn_about_algorithms();

 private:
  boost::asio::io_context& io_;
  auth::Revocations revocations_;  // the signaling thread has a copy
  Snapshot now_;
  bool warned_of_algorithms_ = false;
};

}  // namespace turnpike::daemon
