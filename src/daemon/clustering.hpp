// This node's side of a cluster: it tells the other nodes what this one is and how full it is, and uses here
// what they tell. Without a cluster, every function can be called and does nothing.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/metrics.hpp"
#include "cluster/nodes.hpp"
#include "config/config.hpp"
#include "daemon/octet_rate.hpp"
#include "daemon/open_listeners.hpp"
#include "daemon/side_threads.hpp"
#include "net/asio_types.hpp"
#include "net/interfaces.hpp"
#include "net/ticket_keys.hpp"
#include "relay/relay_sockets.hpp"
#include "turnpike/signaling/ice_servers.hpp"
#include "turnpike/turn/quota.hpp"

namespace turnpike::daemon {

// Makes the keys of TLS session tickets: random keys, or in a cluster keys that all nodes share, so that a
// session can be resumed on any node.
std::shared_ptr<net::TicketKeys> make_ticket_keys(const cluster::Params& cluster);

// Returns what operators are told about an order to all nodes.
boost::json::object to_json(const cluster::Outcome& outcome);

// On the main thread.
class Clustering {
 public:
  struct State {
    bool is_ready = false;  // whether new clients are accepted
    bool is_draining = false;
    std::uint64_t relayed_octets = 0;  // since the start
  };

  // All references must outlive this object.
  struct Parts {
    boost::asio::io_context& io;
    const config::Config& config;          // the present one
    const net::LocalAddresses& addresses;  // the present ones
    const OpenListeners& listeners;
    const relay::RelayPool& relays;
    turn::Quota& quota;
    turn::Quota& address_quota;
    const SideThreads& threads;
    std::chrono::steady_clock::time_point started;
    std::function<State()> state;
    // Sends clients that have no place here to these servers.
    std::function<void(std::vector<turn::AlternateServer>)> use_alternates;
    // See cluster::Nodes::Hooks.
    std::function<cluster::OrderResult(const cluster::Order&)> carry_out;
    std::function<void(const std::vector<auth::Revocation>&)> revoked;
    std::function<std::vector<auth::Revocation>()> list_revoked;
  };

  explicit Clustering(Parts parts);

  // Joins the cluster of the configuration, if it has one. start() begins to talk to the other nodes.
  void join();
  bool is_joined() const { return nodes_.has_value(); }
  void start();
  // Tells the other nodes that this node leaves. Soon afterwards this object has no work in the io_context.
  void stop();
  // Call this when the state has changed: it tells the other nodes at once.
  void announce();
  // Call this when the configuration has changed.
  void follow_config();

  // Sends an order to the other nodes, and waits for the outcome.
  http::Awaitable<cluster::Outcome> publish_order(cluster::Order order);
  // Sends a revocation to the other nodes, and waits for the outcome.
  http::Awaitable<cluster::Outcome> publish_revocation(auth::Revocation revocation);
  // Sends a revocation to the other nodes.
  void share(const auth::Revocation& revocation);

  // Lists all nodes; this one is the first.
  boost::json::array list_nodes();
  void add_metrics(std::vector<admin::Metric>& metrics) const;

 private:
  // Sends something to the other nodes.
  using Publication = std::function<void(cluster::Nodes::WhenKnown)>;
  http::Awaitable<cluster::Outcome> publish_and_wait(Publication publish);
  std::optional<Endpoint> public_endpoint(const Endpoint& listener) const;
  turn::Quota::Demands measure_demands(std::chrono::duration<double> elapsed);
  void find_own_urls();
  cluster::NodeRecord describe_node();
  void follow_nodes(const std::vector<cluster::NodeRecord>& others);
  void share_quotas(const std::vector<cluster::NodeRecord>& others);
  void choose_name_secret(const std::vector<cluster::NodeRecord>& others);

  const Parts parts_;
  const config::Config& config_;
  std::optional<cluster::Nodes> nodes_;       // empty when this is the only node
  std::vector<std::string> secret_ids_;       // of the cluster's secrets
  std::optional<std::size_t> common_secret_;  // the index of the secret by which guests are named
  signaling::IceUrls own_urls_;               // by which other nodes name this node to clients
  OctetRate relayed_rate_;                    // for other nodes
  turn::Quota::Demands demands_;              // of the users here, as this node last published them
};

}  // namespace turnpike::daemon
