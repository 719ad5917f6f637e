// Changes of users while the daemon runs: commands of operators write auth.database, and the workers get a
// new snapshot of all credentials. All of this runs on the main thread; no worker reads the database.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <optional>
#include <string>

#include "admin/service.hpp"
#include "cluster/order.hpp"
#include "config/config.hpp"
#include "daemon/clustering.hpp"
#include "daemon/credentials.hpp"
#include "net/asio_types.hpp"

namespace turnpike::daemon {

class UserChanges {
 public:
  // All references must outlive this object.
  struct Parts {
    const config::Config& config;  // the present one
    Credentials& credentials;
    Clustering& clustering;
    std::function<void()> post_settings;  // gives the present credentials to the workers
  };

  explicit UserChanges(Parts parts) : parts_(std::move(parts)), config_(parts_.config) {}

  Result<boost::json::object, admin::Refusal> list(const std::string& after, std::size_t limit);
  // A removal concerns all nodes, other changes only this one.
  http::Awaitable<Result<boost::json::object, admin::Refusal>> change(admin::UserChange change);
  // Removes a user, as an operator has ordered on another node.
  cluster::OrderResult remove_as_ordered(const cluster::Order& order);

 private:
  // A removal that was ordered at `given` spares users that were changed since.
  std::optional<admin::Refusal> change_here(const admin::UserChange& change,
                                            std::optional<WallTime> given = {});

  const Parts parts_;
  const config::Config& config_;
};

}  // namespace turnpike::daemon
