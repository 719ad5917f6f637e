// The orders of the last day, which Redis keeps for nodes that could not receive them on the channel. They
// are kept under the same name, in a sorted set by their numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/node_link.hpp"
#include "cluster/own_node.hpp"
#include "cluster/redis_connection.hpp"

namespace turnpike::cluster {

// Belongs to the thread of the link.
class KeptOrders {
 public:
  static constexpr int kMax = 1000;  // of all nodes; older ones are deleted

  // Sealed orders, the earliest one first. They can be read only during the call.
  using Take = std::function<void(const std::vector<std::string_view>& sealed)>;

  // All references must outlive this object.
  KeptOrders(const OwnNode& own, NodeLink& link) : own_(own), link_(link) {}

  // Keeps an order of this node, and deletes what is too old.
  void keep(std::uint64_t number, const std::string& sealed);
  // Calls `take` once with what is kept, but not when the connection or the link ends before.
  void read(Take take);

 private:
  std::vector<std::string_view> list(const redisReply& reply);

  const OwnNode& own_;
  NodeLink& link_;
};

}  // namespace turnpike::cluster
