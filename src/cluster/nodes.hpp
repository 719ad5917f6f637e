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
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/echo.hpp"
#include "cluster/freshness.hpp"
#include "cluster/known_nodes.hpp"
#include "cluster/node_record.hpp"
#include "cluster/params.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/seal.hpp"
#include "cluster/shared_revocations.hpp"
#include "net/asio_types.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// A command that an operator gave on one node and that all nodes carry out. Orders are signed and not
// encrypted, so they must not contain secrets.
struct Order {
  enum class Kind : std::uint8_t {
    end_user,     // the allocations of a user
    remove_user,  // from the node's database of users
    revoke,       // nothing more than SharedRevocations has sent; a node that answers has received that, too
  };
  Kind kind = Kind::end_user;
  std::string name;  // of the user, or of what is revoked
  // When the order was given, by the clock of its node; set only if this node could not receive it then. It
  // does not concern what has come since.
  std::optional<WallTime> given{};
};

// The result of an order on a node.
enum class OrderResult : std::uint8_t {
  done,
  no_such_user,  // so that there was nothing to do
  in_file,       // the user is in the node's configuration, and has to be removed there
  busy,          // somebody else writes the database
  clock,         // the order seems to be too old: the clocks of the two nodes differ
  failed,
};

// What is known about an order when the other nodes have answered, or when kPatience is over.
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

// Belongs to the thread of its io_context. Nothing here is called by a thread that relays.
class Nodes {
 public:
  // The time between two readings, and between a change and its writing
  static constexpr std::chrono::milliseconds kInterval{500};
  // The time after which an unchanged record is written again
  static constexpr std::chrono::seconds kRenewal{3};
  // How long an order waits for the answers of the other nodes
  static constexpr std::chrono::seconds kPatience{2};
  // How often it is checked that Redis still has all revocations, which it may have evicted
  static constexpr std::chrono::seconds kBetweenChecks{10};
  // How long a node that leaves waits for Redis
  static constexpr std::chrono::milliseconds kFarewell{500};

  using WhenKnown = std::function<void(const Outcome&)>;

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
  // Publishes an order to the other nodes. Calls `then` once, after kPatience at the latest, or before this
  // returns.
  void publish(const Order& order, WhenKnown then);
  // Publishes a revocation. Nodes that do not receive it get it when they reach Redis, if it is kept there;
  // otherwise when this node reaches Redis.
  void share(const auth::Revocation& revocation, WhenKnown then = {});

  // The records of the other nodes, sorted by name.
  const std::vector<NodeRecord>& others() const { return others_; }
  // Whether this node can know the others, as far as they can reach Redis.
  bool knows_others() const { return commands_.is_up(); }
  // Whether two servers are configured with the name `node`. cluster.node must be different on each server.
  bool is_used_twice(const std::string& node) const;
  // Whether commands can be sent, and orders are received from the same Redis.
  bool is_connected() const { return is_linked_; }
  // Records, orders and answers that no node of this cluster has signed, or that were old.
  std::uint64_t refused() const { return refused_; }

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

  RedisConnection::Handlers command_handlers();
  RedisConnection::Handlers order_handlers();
  void subscribe();
  void send_echo();
  void look_for_echo();
  void check_revocations();
  void on_linked();
  void on_lost(const std::string& why);
  void write();
  std::string seal_record(NodeRecord record);
  void read_names();
  void read_records(std::vector<std::string> names, std::uint64_t reading);
  using Texts = std::map<std::string, std::optional<std::string>>;  // at the keys of nodes, by name
  struct Reading {
    Texts texts;
    bool is_refused = false;  // so that it says nothing about any node
  };
  // `least` is the number that the record of this node had at that time.
  void on_records(const Texts& texts, std::uint64_t least);
  std::optional<NodeRecord> open_record(const std::string& name, std::string_view sealed);
  void add_latest(const std::string& name, std::vector<NodeRecord>& records) const;
  void check_own_record(const NodeRecord& record, std::uint64_t least);
  void remove_names(const std::vector<std::string>& names);
  // An order, and who has given it under which number.
  struct GivenOrder {
    std::string node;
    std::uint64_t number = 0;
    Order order;
  };
  std::optional<GivenOrder> open_order(std::string_view sealed);
  void keep(std::uint64_t number, const std::string& sealed);
  void read_kept_orders();
  void on_kept_orders(const redisReply& reply);
  void on_order(std::string_view payload);
  void answer(const std::string& node, std::uint64_t order, OrderResult result,
              RedisConnection::Answer published = {});
  void on_answer(std::string_view payload);
  void on_published(std::uint64_t order, const redisReply* reply);
  void await_newcomers(std::uint64_t reading);
  void finish_if_known(std::uint64_t order);
  void finish(std::uint64_t order);
  std::vector<std::string> names_used_twice() const;
  void finish_overdue();
  // The number of the next record or order of this node; see Numbers.
  std::uint64_t next_number() { return numbers_.next(hooks_.clock().wall); }
  SteadyTime now() const { return hooks_.clock().steady; }
  // Counts what somebody else has written, and warns of it.
  void refuse(const std::string& what);
  // Warns of an error with which Redis has refused a command of this node.
  void warn_of_refusal(const std::string& error);
  void wait();
  std::string key_of(const std::string& node) const { return prefix_ + "node:" + node; }
  std::string answers_of(const std::string& node) const { return prefix_ + "answers:" + node; }

  const std::string prefix_;
  const std::string own_name_;
  const std::string orders_channel_;
  Hooks hooks_;
  Seal seal_;
  RedisConnection commands_;
  RedisConnection orders_;  // the connection with the subscriptions
  SharedRevocations revocations_;
  net::Timer timer_;
  KnownNodes known_;
  std::vector<NodeRecord> others_;
  std::string written_;               // the latest record of this node
  std::uint64_t written_number_ = 0;  // the number in that record
  Numbers numbers_;
  // Orders have their own numbers. After a clock was set back, these are soon greater than the earlier ones.
  Numbers order_numbers_;
  const std::uint64_t began_ = next_number();
  std::map<std::uint64_t, Pending> pending_;  // by the number of the order
  std::uint64_t last_reading_ = 0;            // of the names
  SteadyTime renew_at_{};
  SteadyTime subscribe_at_{};
  bool is_subscribed_ = false;
  Echo echo_;
  SteadyTime next_echo_{};
  SteadyTime next_echo_warning_{};
  SteadyTime next_check_{};  // of the revocations
  // Orders that arrive while earlier ones are still read from Redis wait here, so that each node's orders are
  // carried out in their order.
  bool has_read_orders_ = false;
  std::deque<std::string> waiting_orders_;
  SteadyTime used_twice_until_{};  // this node's name
  std::uint64_t refused_ = 0;
  SteadyTime next_warning_{};  // of what is refused here
  SteadyTime next_refusal_{};  // of what Redis refuses
  SteadyTime next_unreachable_{};
  bool is_linked_ = false;
  bool stopped_ = false;
};

}  // namespace turnpike::cluster
