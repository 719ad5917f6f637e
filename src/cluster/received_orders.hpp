// Carries out the orders that were given on other nodes, and answers them. Orders that this node could not
// hear are read from Redis when it is linked again; those that arrive meanwhile wait, so that each node's
// orders are carried out in their order.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "cluster/cluster_log.hpp"
#include "cluster/kept_orders.hpp"
#include "cluster/known_nodes.hpp"
#include "cluster/node_link.hpp"
#include "cluster/order.hpp"
#include "cluster/own_node.hpp"
#include "cluster/sealed_orders.hpp"

namespace turnpike::cluster {

// Belongs to the thread of the link.
class ReceivedOrders {
 public:
  using CarryOut = std::function<OrderResult(const Order&)>;

  // All references must outlive this object.
  ReceivedOrders(const OwnNode& own, SealedOrders& sealed, NodeLink& link, ClusterLog& log, KnownNodes& known,
                 KeptOrders& kept, CarryOut carry_out);

  // Carries out what has come on the channel, or lets it wait. At most KeptOrders::kMax orders wait.
  void receive(std::string_view sealed);
  // Reads and carries out the kept orders, unless the channel was heard all the time since that was done.
  // `began` is when this node was started (see NodeRecord): there are no allocations from before.
  void catch_up(std::uint64_t began);
  // The channel is not heard any more: catch_up() has something to do.
  void on_unsubscribed();

 private:
  void carry_out_kept(std::string_view sealed, std::uint64_t began);
  void answer(const GivenOrder& given, OrderResult result);

  const OwnNode& own_;
  SealedOrders& sealed_;
  NodeLink& link_;
  ClusterLog& log_;
  KnownNodes& known_;
  KeptOrders& kept_;
  const CarryOut carry_out_;
  std::uint64_t interruptions_ = 0;  // how often the channel was not heard any more
  bool has_caught_up_ = false;
  std::deque<std::string> waiting_;  // until it has
};

}  // namespace turnpike::cluster
