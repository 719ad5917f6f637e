// The form of orders and of the answers to them in Redis: JSON, signed for the channel that it is published
// to (see nodes.hpp). What no node of this cluster has signed, or what has another form, is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/cluster_log.hpp"
#include "cluster/order.hpp"
#include "cluster/own_node.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/seal.hpp"

namespace turnpike::cluster {

// The name of a result, such as "no-such-user": in an answer, and for operators.
const char* to_string(OrderResult result);

class SealedOrders {
 public:
  // All references must outlive this object.
  SealedOrders(const OwnNode& own, Seal& seal, ClusterLog& log) : own_(own), seal_(seal), log_(log) {}

  // Returns an order of this node, as it is published and kept.
  std::string seal(std::uint64_t number, const Order& order);
  // Returns the command by which this node answers the order with this number, which `to` has given.
  RedisConnection::Command answer(const std::string& to, std::uint64_t order, OrderResult result);

  // Opens what came on the channel for orders, or what Redis has kept. Nothing when it is refused.
  std::optional<GivenOrder> open(std::string_view sealed);
  // Opens what came on the channel for answers to this node. Nothing when it is refused. A result that this
  // version does not know is OrderResult::failed.
  std::optional<OrderAnswer> open_answer(std::string_view sealed);

 private:
  // Counts and logs what is refused. Returns nothing.
  std::nullopt_t refuse(const char* what);

  const OwnNode& own_;
  Seal& seal_;
  ClusterLog& log_;
};

}  // namespace turnpike::cluster
