// What this node says to the other nodes about rooms: it signs and numbers each message. Each number is
// greater than the one before; see Freshness. Beside it stands how many changes of members this node has
// written so far, by which the others notice that they have missed one. With the words that say only that
// this node is there, it also finds out whether Redis passes its messages on; see Echo.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cluster/counters.hpp"
#include "cluster/echo.hpp"
#include "cluster/freshness.hpp"
#include "cluster/own_run.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/room_message.hpp"
#include "cluster/seal.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Belongs to the thread of its connection.
class RoomPublisher {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(3);  // the time between two `alive` messages
  // Messages of members are dropped when this many octets wait for Redis, so that the rest of the queue is
  // free for other commands.
  static constexpr std::size_t kMaxSaidOctets = RedisConnection::kMaxWaiting / 4 * 3;

  // All references must outlive this object.
  RoomPublisher(const OwnRun& own, Seal& seal, RedisConnection& commands, Counters& counters)
      : own_(own), seal_(seal), commands_(commands), counters_(counters) {}

  void publish(const std::string& channel, RoomMessage message, RedisConnection::Answer answer = {});
  // Returns false, and counts a dropped message, when too many octets wait for Redis already.
  bool admit(const std::string& text);
  // The number of the next message, for one that does not go through publish().
  std::uint64_t next_number() { return numbers_.next(own_.clock().wall); }

  // Says to all nodes that this one is there.
  void say_alive(RoomMessage::Kind kind);
  bool is_alive_due(SteadyTime now) const { return now >= next_alive_; }
  // Says it to nobody but this node itself.
  void say_to_self() { say_with_echo(own_.channel_of(own_.name), RoomMessage::Kind::alive); }
  // For what was said by these two; see Echo.
  void forget_echo() { echo_.reset(); }
  bool hear_echo(std::uint64_t number) { return echo_.hear(number); }
  bool look_for_missing_echo() { return echo_.count_look(); }

  // How many changes of members this node has written.
  std::uint64_t sequence() const { return sequence_; }
  // Counts one more of them. Returns the new number.
  std::uint64_t count_change() { return ++sequence_; }

 private:
  void say_with_echo(const std::string& channel, RoomMessage::Kind kind);

  const OwnRun& own_;
  Seal& seal_;
  RedisConnection& commands_;
  Counters& counters_;
  Numbers numbers_;
  std::uint64_t sequence_ = 0;
  SteadyTime next_alive_{};
  Echo echo_;
};

}  // namespace turnpike::cluster
