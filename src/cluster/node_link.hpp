// The link of this node to the others, through Redis, for all but rooms (see RoomLink): the connection for
// commands, and the one that listens. The node is linked only while it hears what it says itself; see Echo.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "cluster/cluster_log.hpp"
#include "cluster/echo.hpp"
#include "cluster/freshness.hpp"
#include "cluster/own_node.hpp"
#include "cluster/params.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/redis_subscription.hpp"
#include "cluster/sealed_orders.hpp"
#include "net/asio_types.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Belongs to the thread of its io_context.
class NodeLink {
 public:
  // How often the node says something to itself.
  static constexpr Duration kBetweenEchoes = std::chrono::seconds(3);
  // How long a node that leaves waits for Redis.
  static constexpr std::chrono::milliseconds kFarewell{500};

  struct Hooks {
    std::function<void()> up;            // commands can be sent
    std::function<void()> down;          // the connection for commands has ended, or could not be opened
    std::function<void()> subscribed;    // all channels are heard
    std::function<void()> unsubscribed;  // that connection has ended, or could not be opened
    std::function<void(std::string_view channel, std::string_view payload)> message;
    std::function<void()> linked;
    // Called when the node is no longer linked. Empty where rooms have connections too, since these report
    // it.
    std::function<void(const std::string& why)> unlinked;
    // Called once in a while when Redis cannot be reached and could not be reached before. May be empty.
    std::function<void(const std::string& why)> unreachable;
  };

  // All references but `params` must outlive this object.
  NodeLink(boost::asio::io_context& io, const Params& params, const OwnNode& own, SealedOrders& sealed,
           ClusterLog& log, Hooks hooks);

  void start();
  // Listens no more. Commands can still be sent, until the link ends.
  void stop();
  bool is_stopped() const { return stopped_; }
  // Leaves the io_context without work of this object's.
  void end() { commands_.stop(); }
  // Sends this command, and calls end() when Redis has answered it, or after kFarewell.
  void end_after(const RedisConnection::Command& last);

  // Others send commands with this.
  RedisConnection& commands() { return commands_; }
  const RedisConnection& commands() const { return commands_; }
  // Whether commands can be sent, and the others are heard from the same Redis.
  bool is_linked() const { return is_linked_; }

  // What this node has said to itself has come back. The node may be linked now.
  void hear_echo(std::uint64_t number);
  // Call these two at regular intervals. When the echo is missing, the first one lets both connections begin
  // anew; the second one subscribes again where Redis has refused it, and notices when Redis is silent.
  void look_for_echo();
  void keep_listening();

 private:
  RedisConnection::Handlers command_handlers();
  RedisConnection::Handlers subscription_handlers();
  void send_echo();
  void on_lost(const std::string& why);

  const OwnNode& own_;
  SealedOrders& sealed_;
  ClusterLog& log_;
  const Hooks hooks_;
  RedisConnection commands_;
  RedisSubscription subscription_;
  net::Timer farewell_;
  Numbers numbers_;  // of what this node says to itself
  Echo echo_;
  SteadyTime next_echo_{};
  bool is_linked_ = false;
  bool stopped_ = false;
};

}  // namespace turnpike::cluster
