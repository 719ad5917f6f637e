// The nodes of a cluster, with or without signaling: each node writes into Redis what it is and how full it
// is, and reads what the others have written. Orders of an operator, such as the end of a user's allocations,
// reach the nodes that are up. What an operator revokes reaches those that come later, too; see
// SharedRevocations.
//
// After the prefix, Redis has (all but `nodes` signed, see Seal):
//   nodes        a set: the names of the nodes
//   node:NODE    a text: the NodeRecord of a node, which Redis deletes KnownNodes::kLife after its last
//                renewal; the last record, of a node that leaves, is deleted after a minute
//   orders       a channel: {"node": NODE, "number": N}, and with it an Order: its kind as a member whose
//                value is the name, such as "end_user": NAME; and a sorted set of the orders of the last day
//                by N, for nodes that could not receive them on the channel
//   answers:NODE a channel for the results of orders of that node: {"node": NODE, "to": N, "result": R}, with
//                the name of the node that answers and the number of the order. What a node answers itself is
//                its Echo, and there is no such order
//
// Everybody who can write to Redis can write again what a node has written earlier: see KnownNodes. A
// repeated answer is about an order that is over, or it changes nothing.
//
// Parts of their own do most of this. NodeLink has the connections to Redis. OwnRecord writes the record of
// this node, and NodeRecords reads those of all. OwnOrders publishes orders and waits for the answers, and
// ReceivedOrders carries out those of other nodes; SealedOrders is the form of both, and KeptOrders has those
// of the last day. Nodes decides in which order the parts act when something arrives or changes, and every
// half second.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/cluster_log.hpp"
#include "cluster/kept_orders.hpp"
#include "cluster/known_nodes.hpp"
#include "cluster/node_link.hpp"
#include "cluster/node_record.hpp"
#include "cluster/node_records.hpp"
#include "cluster/order.hpp"
#include "cluster/own_node.hpp"
#include "cluster/own_orders.hpp"
#include "cluster/own_record.hpp"
#include "cluster/params.hpp"
#include "cluster/received_orders.hpp"
#include "cluster/seal.hpp"
#include "cluster/sealed_orders.hpp"
#include "cluster/shared_revocations.hpp"
#include "net/asio_types.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Belongs to the thread of its io_context. Nothing here is called by a thread that relays.
class Nodes {
 public:
  // The time between two readings, and between a change and its writing.
  static constexpr std::chrono::milliseconds kInterval{500};

  using WhenKnown = OwnOrders::WhenKnown;

  struct Hooks {
    std::function<TimePoint()> clock;
    std::function<NodeRecord()> describe;  // makes the record of this node, without its name
    // The other nodes that are there; empty while Redis is away. Called after each reading.
    std::function<void(const std::vector<NodeRecord>&)> changed;
    // Carries out an order that was given on another node.
    std::function<OrderResult(const Order&)> carry_out;
    // See SharedRevocations::Hooks.
    std::function<void(std::vector<auth::Revocation>)> revoked;
    std::function<std::vector<auth::Revocation>()> list_revoked;
    std::function<void(const std::string&)> warn;  // a line for the log
    // Called when the connection to Redis begins and ends. These three may be empty.
    std::function<void()> connected{};
    std::function<void(const std::string& why)> disconnected{};
    // Called once in a while when Redis cannot be reached and could not be reached before.
    std::function<void(const std::string& why)> unreachable{};
  };

  Nodes(boost::asio::io_context& io, const Params& params, Hooks hooks);

  void start();
  // Tells the other nodes that this node leaves, so that no clients are sent here and no order waits for it.
  // Soon afterwards this object has no work in the io_context.
  void stop();

  // Writes this node's record now, because something has changed that others must know soon.
  void announce();
  // Publishes an order to the other nodes; see OwnOrders::publish().
  void publish(const Order& order, WhenKnown then) { own_orders_.publish(order, std::move(then)); }
  // Publishes a revocation. Nodes that do not receive it get it when they reach Redis, if it is kept there;
  // otherwise when this node reaches Redis. `then` is called as for an order.
  void share(const auth::Revocation& revocation, WhenKnown then = {});

  // The records of the other nodes, sorted by name.
  const std::vector<NodeRecord>& others() const { return records_.others(); }
  // Whether this node can know the others, as far as they can reach Redis.
  bool knows_others() const { return link_.commands().is_up(); }
  // Whether two servers are configured with the name `node`. cluster.node must be different on each server.
  bool is_used_twice(const std::string& node) const { return records_.is_used_twice(node); }
  // Whether commands can be sent, and orders are received from the same Redis.
  bool is_connected() const { return link_.is_linked(); }
  // Records, orders and answers that no node of this cluster has signed, or that were old.
  std::uint64_t refused() const { return refused_; }

 private:
  NodeLink::Hooks link_hooks(Hooks& hooks);
  void on_message(std::string_view channel, std::string_view payload);
  void on_answer(std::string_view sealed);
  void tick();

  Counter refused_;
  const OwnNode own_;
  ClusterLog log_;
  Seal seal_;
  SealedOrders sealed_orders_;
  NodeLink link_;
  SharedRevocations revocations_;
  KnownNodes known_;
  OwnRecord own_record_;
  NodeRecords records_;
  KeptOrders kept_orders_;
  OwnOrders own_orders_;
  ReceivedOrders received_orders_;
  net::Timer timer_;
};

}  // namespace turnpike::cluster
