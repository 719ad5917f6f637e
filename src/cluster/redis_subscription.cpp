#include "cluster/redis_subscription.hpp"

#include <memory>
#include <utility>

namespace turnpike::cluster {

RedisSubscription::RedisSubscription(boost::asio::io_context& io, const Params& params, const OwnNode& own,
                                     std::vector<std::string> channels, RedisConnection::Handlers handlers)
    : own_(own),
      channels_(std::move(channels)),
      when_listening_(handlers.up),
      connection_(io, params, connection_handlers(std::move(handlers))) {}

RedisConnection::Handlers RedisSubscription::connection_handlers(RedisConnection::Handlers handlers) {
  handlers.up = [this] { subscribe(); };
  handlers.down = [this, on_lost = std::move(handlers.down)](const std::string& why) {
    is_listening_ = false;
    on_lost(why);
  };
  return handlers;
}

// Redis may refuse it, to a user whom it lets do everything else; see subscribe_if_due().
void RedisSubscription::subscribe() {
  subscribe_at_ = own_.clock().steady + kBetweenAttempts;
  const auto missing = std::make_shared<std::size_t>(channels_.size());
  for (const std::string& channel : channels_) {
    connection_.send({"SUBSCRIBE", channel}, [this, missing](const redisReply* reply) {
      if (!reply || reply->type == REDIS_REPLY_ERROR || --*missing != 0) return;
      is_listening_ = true;
      when_listening_();
    });
  }
}

void RedisSubscription::subscribe_if_due() {
  if (connection_.is_up() && !is_listening_ && own_.clock().steady >= subscribe_at_) subscribe();
}

}  // namespace turnpike::cluster
