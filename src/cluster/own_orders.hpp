// The orders that were given on this node, until it is known what the other nodes have done. An order ends
// when all nodes have answered that may be running, also those that have come shortly before, or when the
// time for that is over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/freshness.hpp"
#include "cluster/kept_orders.hpp"
#include "cluster/known_nodes.hpp"
#include "cluster/node_link.hpp"
#include "cluster/node_records.hpp"
#include "cluster/order.hpp"
#include "cluster/own_node.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/sealed_orders.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// What is known about an order when the other nodes have answered, or when OwnOrders::kPatience is over.
struct Outcome {
  struct Missed {
    std::string node;
    // The name of what it has answered, or "no-answer", "gone" or "no-redis"; "same-name" where two servers
    // have the name, of which one may have answered for both.
    std::string why;
  };
  std::vector<Missed> missed;  // the known nodes that have not carried out the order
  bool is_told = true;         // false when Redis is away or refuses it, so that no node has received it
  bool done_elsewhere = false;
  bool is_kept = false;  // for a revocation: Redis keeps it for nodes that come later

  bool is_everywhere() const { return is_told && missed.empty(); }
};

// Belongs to the thread of the link.
class OwnOrders {
 public:
  // How long an order waits for the answers of the other nodes.
  static constexpr std::chrono::seconds kPatience{2};

  using WhenKnown = std::function<void(const Outcome&)>;

  // All references must outlive this object.
  OwnOrders(const OwnNode& own, SealedOrders& sealed, NodeLink& link, const KnownNodes& known,
            NodeRecords& records, KeptOrders& kept)
      : own_(own), sealed_(sealed), link_(link), known_(known), records_(records), kept_(kept) {}

  // Publishes an order to the other nodes. Calls `then` once, after kPatience at the latest, or before this
  // returns.
  void publish(const Order& order, WhenKnown then);
  // Another node has answered.
  void on_answer(const OrderAnswer& answer);
  // A reading of the records is done; see NodeRecords::read(). A node may have come since the reading before
  // an order, and may have heard the order or not.
  void await_newcomers(std::uint64_t reading);
  // Ends the orders that have waited for kPatience. Call this at regular intervals.
  void finish_overdue();
  // Ends all orders.
  void finish_all();

 private:
  // An order that other nodes have not answered yet.
  struct Pending {
    std::map<std::string, bool, std::less<>> unanswered;  // by name: whether it was there
    std::set<std::string, std::less<>> answered;
    Outcome outcome;
    bool is_published = false;
    // The names that are read after it was published: who has come shortly before is among them.
    std::uint64_t reading = 0;
    bool knows_newcomers = false;
    SteadyTime until{};
    WhenKnown then;
  };

  void on_published(std::uint64_t order, const redisReply* reply);
  void finish_if_known(std::uint64_t order);
  void finish(std::uint64_t order);

  const OwnNode& own_;
  SealedOrders& sealed_;
  NodeLink& link_;
  const KnownNodes& known_;
  NodeRecords& records_;
  KeptOrders& kept_;
  // Orders have their own numbers. After a clock was set back, these are soon greater than the earlier ones.
  Numbers numbers_;
  std::map<std::uint64_t, Pending> pending_;  // by the number of the order
};

}  // namespace turnpike::cluster
