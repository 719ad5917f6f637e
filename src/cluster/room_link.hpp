// The link of this node to the others, through Redis: the connection for commands, the one that listens, and
// what this node says.
//
// The node is linked only while it hears what it says itself; see Echo. While it is not linked, it has no
// other nodes, and rooms go on among its own members. When two servers have its name, the one that was
// started first is not linked until the other one has been silent for some time.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "cluster/cluster_log.hpp"
#include "cluster/counters.hpp"
#include "cluster/own_run.hpp"
#include "cluster/params.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/redis_subscription.hpp"
#include "cluster/room_publisher.hpp"
#include "cluster/seal.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Belongs to the thread of its io_context.
class RoomLink {
 public:
  struct Hooks {
    std::function<void()> linked;
    std::function<void()> unlinked;
    std::function<void(std::string_view channel, std::string_view payload)> message;
  };

  // All references but `params` must outlive this object.
  RoomLink(boost::asio::io_context& io, const Params& params, const OwnRun& own, Seal& seal, ClusterLog& log,
           Counters& counters, Hooks hooks);

  void start();
  // Leaves the io_context without work of this object's.
  void stop();
  bool is_stopped() const { return stopped_; }

  // Others send commands and messages with these two. They start and stop with the link.
  RedisConnection& commands() { return commands_; }
  RoomPublisher& publisher() { return publisher_; }

  bool is_linked() const { return is_connected_ == 1; }
  SteadyTime linked_since() const { return linked_since_; }
  // 1 when messages of other nodes can be received, otherwise 0. Any thread may read it.
  const Counter& connected() const { return is_connected_; }

  // A message of this run has come back. The node may be linked now.
  void hear_own_message(std::uint64_t number, SteadyTime now);
  // Whether this node hears nothing, not even itself, so that it does not know who else is silent.
  bool is_deaf(SteadyTime now) const;
  // Another server has this node's name and was started later. The other nodes accept that one, so this one
  // pauses.
  void pause_for_namesake();
  bool is_paused(SteadyTime now) const { return now < paused_until_; }

  // Call these three every second: one of the first two, whether it is linked or not, and then the last one.
  void ping() { subscription_.ping(); }
  void try_again();
  void look_for_echo();

 private:
  RedisConnection::Handlers command_handlers();
  RedisConnection::Handlers subscription_handlers();
  void on_lost(const std::string& why);
  void unlink();
  bool can_link() const;
  void try_to_link();
  void on_linked();
  void start_anew();

  const OwnRun& own_;
  ClusterLog& log_;
  Counter& disconnected_;
  const Hooks hooks_;
  RedisConnection commands_;
  RedisSubscription subscription_;
  RoomPublisher publisher_;
  bool stopped_ = false;
  SteadyTime linked_since_{};
  SteadyTime own_message_heard_{};
  SteadyTime paused_until_{};  // until then a server is there that has this node's name and was started later
  Counter is_connected_;       // linked, and commands can be sent
};

}  // namespace turnpike::cluster
