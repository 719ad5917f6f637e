// A connection to Redis on which this node listens to channels. It listens only when Redis has confirmed all
// of them, and it asks again where Redis has refused one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "cluster/own_node.hpp"
#include "cluster/params.hpp"
#include "cluster/redis_connection.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Belongs to the thread of its io_context.
class RedisSubscription {
 public:
  static constexpr Duration kBetweenAttempts = std::chrono::seconds(3);  // where Redis has refused a channel

  // Handlers::up is called when this listens to all channels. `own` must outlive this object.
  RedisSubscription(boost::asio::io_context& io, const Params& params, const OwnNode& own,
                    std::vector<std::string> channels, RedisConnection::Handlers handlers);

  void start() { connection_.start(); }
  void stop() { connection_.stop(); }
  void start_anew(const std::string& why) { connection_.start_anew(why); }

  bool is_listening() const { return is_listening_; }
  // The connection ends when Redis does not answer.
  void ping() { connection_.send({"PING"}); }
  // Call this at regular intervals while it does not listen.
  void subscribe_if_due();

 private:
  RedisConnection::Handlers connection_handlers(RedisConnection::Handlers handlers);
  void subscribe();

  const OwnNode& own_;
  const std::vector<std::string> channels_;
  const std::function<void()> when_listening_;
  RedisConnection connection_;
  bool is_listening_ = false;  // to all channels
  SteadyTime subscribe_at_{};  // again, where Redis has refused it
};

}  // namespace turnpike::cluster
