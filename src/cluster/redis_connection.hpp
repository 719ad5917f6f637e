// A connection to Redis that reconnects automatically. Commands are written and replies are read when the
// network allows it, and no call waits. hiredis writes commands and parses replies; Asio owns the socket.
//
// All queues are limited. A connection that has not answered for kPatience, or that has more than kMaxWaiting
// octets to write, counts as broken and is closed. Handlers::down reports this, each command without an
// answer gets a null reply, and the next attempt follows after a pause that grows from kMinPause to
// kMaxPause. A connection that lasted for less than that also counts as a failed attempt.
//
// When its name has several addresses, these are tried one after the other within the patience.
//
// A server that is not the primary, that is a part of a Redis Cluster, or that is busy with somebody's script
// cannot be used. A connection tries this at its beginning, with a command that writes nothing, and ends
// whenever a reply says so.
//
// The size of a reply is limited too; see ReplyReader. No node writes such large values, so when a reply is
// too large, its key is deleted after the next connection, and its owner writes it again.
#pragma once

#include <hiredis/hiredis.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
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
  static constexpr std::chrono::milliseconds kMinPause{100};
  static constexpr std::chrono::milliseconds kMaxPause{5000};

  // `reply` is null when the connection ended before the reply came. It is valid only during the call.
  using Answer = std::function<void(const redisReply* reply)>;
  using Command = std::vector<std::string>;

  struct Handlers {
    std::function<void()> up;  // called when the connection can be used
    // Called when the connection has ended, or could not be opened. The text is printable.
    std::function<void(const std::string& why)> down;
    // Called when Redis refuses a command, also one of send_together(), but goes on with others. The text is
    // printable.
    std::function<void(const std::string& error)> refused;
    std::function<void(std::string_view channel, std::string_view payload)> message;  // of a subscription
  };

  RedisConnection(boost::asio::io_context& io, const Params& params, Handlers handlers);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  void start();
  // Leaves the io_context without work of this object's.
  void stop();

  bool is_up() const;
  // Ends the present connection, which is of no use although Redis answers, and connects again.
  void start_anew(const std::string& why);
  std::size_t waiting() const;  // octets of commands
  // Sends a command. When the connection is down, `answer` gets a null reply and nothing else happens. A
  // connection that has sent SUBSCRIBE can send nothing but SUBSCRIBE and UNSUBSCRIBE, of one channel each,
  // and PING.
  void send(const Command& command, Answer answer = {});
  // Sends commands as one transaction (MULTI, these, EXEC). `answer` gets the reply to EXEC; see is_done() in
  // redis_reply.hpp.
  void send_together(const std::vector<Command>& commands, Answer answer = {});

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace turnpike::cluster
