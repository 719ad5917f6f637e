// The nodes of a cluster, with or without signaling: each node writes into Redis what it is and how full it
// is, and reads what the others have written. Orders of an operator, such as the end of a user's allocations,
// reach the nodes that are up. What an operator revokes reaches those that come later, too; see
// SharedRevocations.
//
// After the prefix, Redis has (all but `nodes` signed, see Seal):
//   nodes        a set: the names of the nodes
//   node:NODE    a text: the NodeRecord of a node, which Redis deletes kLife after its last renewal
//   orders       a channel: {"node": NODE, "number": N}, and with it an Order: its kind as a member whose
//                value is the name, such as "end_user": NAME
//
// Everybody who can write to Redis can write an earlier record or order again. Therefore they are numbered,
// and what is not newer than the latest of its node is not heeded; nor is an order that is older than five
// minutes.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/freshness.hpp"
#include "cluster/node_record.hpp"
#include "cluster/params.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/seal.hpp"
#include "cluster/shared_revocations.hpp"
#include "net/asio_types.hpp"
#include "turnpike/base/counter.hpp"

namespace turnpike::cluster {

// A command that an operator gave on one node and that all nodes carry out. Orders are signed and not
// encrypted, so they must not contain secrets.
struct Order {
  enum class Kind : std::uint8_t {
    end_user,     // the allocations of a user
    remove_user,  // from the node's database of users
  };
  Kind kind = Kind::end_user;
  std::string name;  // of the user
};

// Belongs to the thread of its io_context. Nothing here is called by a thread that relays.
class Nodes {
 public:
  // The time between two readings, and between a change and its writing
  static constexpr std::chrono::milliseconds kInterval{500};
  // The time after which an unchanged record is written again
  static constexpr std::chrono::seconds kRenewal{3};
  static constexpr std::chrono::seconds kLife{10};

  struct Hooks {
    std::function<NodeRecord()> describe;  // makes the record of this node, without its name
    // The other nodes that are there; empty while Redis is away. Called after each reading.
    std::function<void(const std::vector<NodeRecord>&)> changed;
    std::function<void(const Order&)> obey;  // carries out an order that was given on another node
    // See SharedRevocations::Hooks.
    std::function<void(std::vector<auth::Revocation>)> revoked;
    std::function<std::vector<auth::Revocation>()> list_revoked;
    std::function<void(const std::string&)> warn;  // a line for the log
    // Called when the connection to Redis begins and ends. Both may be empty.
    std::function<void()> came{};
    std::function<void(const std::string& why)> went{};
  };

  Nodes(boost::asio::io_context& io, const Params& params, Hooks hooks);

  void start();
  // Removes the record of this node, so that no clients are sent here, and ends the work of this object in
  // the io_context.
  void stop();

  // Writes this node's record now, because something has changed that others must know soon.
  void announce();
  // Publishes an order to the other nodes. Returns false when Redis is away; then no node gets it.
  bool give(const Order& order);
  // Publishes a revocation. Returns false when Redis is away; the other nodes then get it when Redis is back.
  bool share(const auth::Revocation& revocation);

  // The records of the other nodes, sorted by name.
  const std::vector<NodeRecord>& others() const { return others_; }
  // Whether two servers are configured with the name `node`. cluster.node must be different on each server.
  bool is_used_twice(const std::string& node) const;
  bool is_connected() const { return was_up_; }
  std::uint64_t refused() const {
    return refused_;
  }  // records and orders that no node of this cluster has signed

 private:
  void write();
  void read_names();
  void read_records(std::vector<std::string> names);
  using Texts = std::map<std::string, std::optional<std::string>>;  // at the keys of nodes, by name
  void on_records(const Texts& texts);
  bool is_up() const { return commands_.is_up() && orders_.is_up(); }
  void on_order(std::string_view channel, std::string_view payload);
  bool is_fresh(const NodeRecord& record);
  // The record that the node wrote less than kLife ago; null where there is none.
  const NodeRecord* latest_of(const std::string& name) const;
  void remove_names(const std::vector<std::string>& names);
  void look_for_namesake(const NodeRecord& record);
  void forget_long_gone();
  // The number of the next record or order of this node; see Numbers.
  std::uint64_t next_number();
  void refuse(const std::string& what);
  void wait();
  std::string key_of(const std::string& node) const { return prefix_ + "node:" + node; }

  const std::string prefix_;
  const std::string own_name_;
  Hooks hooks_;
  Seal seal_;
  RedisConnection commands_;
  RedisConnection orders_;  // the connection with the subscriptions
  SharedRevocations revocations_;
  net::Timer timer_;
  std::vector<NodeRecord> others_;
  std::string written_;  // the latest record of this node
  Numbers numbers_;
  const std::uint64_t began_ = next_number();
  // The latest data of a node, also of one that has gone.
  struct LastHeard {
    std::uint64_t record = 0;                       // its number
    std::uint64_t order = 0;                        // likewise
    std::chrono::steady_clock::time_point since{};  // when the record came
    std::optional<NodeRecord> good{};               // the record itself
    std::array<std::uint64_t, 2> began{};           // of the server that wrote last, and of the one before
    std::chrono::steady_clock::time_point used_twice_until{};
  };
  std::map<std::string, LastHeard> last_heard_;  // by name
  std::chrono::steady_clock::time_point renew_at_{};
  std::uint64_t refused_ = 0;
  std::chrono::steady_clock::time_point next_warning_{};
  bool was_up_ = false;
  bool stopped_ = false;
};

}  // namespace turnpike::cluster
