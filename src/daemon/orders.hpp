// What operators order about users: to end their allocations, to change or remove them, and to revoke. In a
// cluster most orders are for all nodes, so this class also carries out those that were given on another
// node.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <string>

#include "cluster/order.hpp"
#include "config/config.hpp"
#include "daemon/clustering.hpp"
#include "daemon/credentials.hpp"
#include "daemon/revoking.hpp"
#include "daemon/side_threads.hpp"
#include "daemon/user_changes.hpp"
#include "daemon/workers.hpp"
#include "net/asio_types.hpp"

namespace turnpike::daemon {

// On the main thread.
class Orders {
 public:
  // All references must outlive this object.
  struct Parts {
    boost::asio::io_context& io;
    const config::Config& config;  // the present one
    Credentials& credentials;
    Clustering& clustering;
    const SideThreads& threads;
    Workers& workers;
    std::function<void()> post_settings;  // gives the present credentials to the workers
  };

  explicit Orders(const Parts& parts)
      : workers_(parts.workers),
        clustering_(parts.clustering),
        changes_({parts.config, parts.credentials, parts.clustering, parts.post_settings}),
        revoking_({parts.io, parts.config, parts.credentials, parts.clustering, parts.threads,
                   parts.post_settings}) {}

  // Ends all allocations of a user, on all nodes.
  http::Awaitable<boost::json::object> end_user_everywhere(std::string user);
  UserChanges& changes() { return changes_; }
  Revoking& revoking() { return revoking_; }

  // Carries out an order that an operator gave on another node.
  cluster::OrderResult carry_out(const cluster::Order& order);

 private:
  Workers& workers_;
  Clustering& clustering_;
  UserChanges changes_;
  Revoking revoking_;
};

}  // namespace turnpike::daemon
