// Revocation of signaling tokens by an operator, on all nodes, together with the relay credentials that were
// issued for them. The revocations are kept over a restart in auth.database, and by the other nodes of a
// cluster.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "admin/service.hpp"
#include "config/config.hpp"
#include "daemon/clustering.hpp"
#include "daemon/credentials.hpp"
#include "daemon/side_threads.hpp"
#include "net/asio_types.hpp"
#include "turnpike/auth/revocations.hpp"

namespace turnpike::daemon {

// On the main thread.
class Revoking {
 public:
  // All references must outlive this object.
  struct Parts {
    boost::asio::io_context& io;
    const config::Config& config;  // the present one
    Credentials& credentials;
    Clustering& clustering;
    const SideThreads& threads;
    std::function<void()> post_settings;  // gives the present credentials to the workers
  };

  explicit Revoking(Parts parts) : parts_(std::move(parts)), config_(parts_.config) {}

  http::Awaitable<Result<boost::json::object, admin::Refusal>> revoke(auth::Revocation::Kind kind,
                                                                      std::string name,
                                                                      std::chrono::seconds duration);
  // Applies what an operator has revoked on another node.
  void apply_those_of_others(const std::vector<auth::Revocation>& revocations);
  // Applies what auth.database has kept.
  void apply_recalled(const config::RecalledRevocations& recalled);

 private:
  // Returns those that were not known before.
  std::vector<auth::Revocation> apply(const std::vector<auth::Revocation>& revocations);
  // Writes them to auth.database, so that a restart does not forget them. Returns whether that succeeded.
  bool keep(const std::vector<auth::Revocation>& revocations);
  void refuse_users(const std::vector<std::string>& users);

  const Parts parts_;
  const config::Config& config_;
};

}  // namespace turnpike::daemon
