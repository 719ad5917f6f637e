// A connection to Redis that comes back by itself. Commands are written and replies are read as the network
// allows; nobody ever waits for either. hiredis writes commands and parses replies, and Asio has the socket.
//
// What waits has a bound: a connection that has not answered for kPatience, or that has more than kMaxWaiting
// octets to write, is taken for broken, and ends. Each end is told, each command that was not answered gets a
// null reply, and the next attempt comes after a pause that grows from kMinPause to kMaxPause. A connection
// that is up for shorter than that counts as a failed attempt, too.
//
// A reply has a bound as well. No node writes as much, so the key whose value is too large is deleted once
// the connection is back, and its owner writes it anew.
#pragma once

#include <hiredis/hiredis.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/params.hpp"

namespace turnpike::cluster {

// Belongs to the thread of its io_context, on which all functions are called.
class RedisConnection {
 public:
  static constexpr std::chrono::seconds kPatience{5};
  static constexpr std::size_t kMaxWaiting = 16 << 20;  // octets, of commands
  static constexpr std::size_t kMaxReply = 64 << 20;    // octets of one reply
  static constexpr std::size_t kMaxElements = 1 << 18;  // of all arrays in one reply
  static constexpr std::chrono::milliseconds kMinPause{100};
  static constexpr std::chrono::milliseconds kMaxPause{5000};

  // Null where the connection ended before the reply came. It lives as long as the call.
  using Answer = std::function<void(const redisReply* reply)>;
  using Command = std::vector<std::string>;

  struct Handlers {
    std::function<void()> up;                             // it can be used
    std::function<void(const std::string& why)> down;     // after up, or instead of it
    std::function<void(std::string_view error)> refused;  // a command was, with why; also one of several
    std::function<void(std::string_view channel, std::string_view payload)> message;  // of a subscription
  };

  RedisConnection(boost::asio::io_context& io, RedisAddress address, Handlers handlers);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  void start();
  // Leaves the io_context without work of this object's.
  void stop();

  bool is_up() const;
  std::size_t waiting() const;  // octets of commands
  // Without effect, but for a null reply, while the connection is down. A connection that has sent SUBSCRIBE
  // can send nothing but SUBSCRIBE and UNSUBSCRIBE, of one channel each, and PING.
  void send(const Command& command, Answer answer = {});
  // Nothing comes between them: MULTI, these, EXEC. `answer` is for the last; see is_done.
  void send_together(const std::vector<Command>& commands, Answer answer = {});

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Whether what was sent together was done, each part of it.
bool is_done(const redisReply* reply);

// The text of a status or of a bulk string; nothing for another reply.
std::optional<std::string_view> text_of(const redisReply* reply);

}  // namespace turnpike::cluster
