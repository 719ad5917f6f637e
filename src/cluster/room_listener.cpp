#include "cluster/room_listener.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "cluster/room_publisher.hpp"

namespace turnpike::cluster {

RoomListener::RoomListener(boost::asio::io_context& io, const Params& params, const OwnNode& own,
                           RedisConnection::Handlers handlers)
    : own_(own),
      when_listening_(handlers.up),
      connection_(io, params, connection_handlers(std::move(handlers))) {}

RedisConnection::Handlers RoomListener::connection_handlers(RedisConnection::Handlers handlers) {
  handlers.up = [this] { subscribe(); };
  handlers.down = [this, on_lost = std::move(handlers.down)](const std::string& why) {
    is_listening_ = false;
    on_lost(why);
  };
  return handlers;
}

// Redis may refuse it, to a user whom it lets do everything else; see subscribe_if_due().
void RoomListener::subscribe() {
  subscribe_at_ = own_.clock().steady + RoomPublisher::kInterval;
  const std::vector<std::string> channels{own_.rooms_channel, own_.channel_of(own_.name)};
  const auto missing = std::make_shared<std::size_t>(channels.size());
  for (const std::string& channel : channels) {
    connection_.send({"SUBSCRIBE", channel}, [this, missing](const redisReply* reply) {
      if (!reply || reply->type == REDIS_REPLY_ERROR || --*missing != 0) return;
      is_listening_ = true;
      when_listening_();
    });
  }
}

void RoomListener::subscribe_if_due() {
  if (connection_.is_up() && !is_listening_ && own_.clock().steady >= subscribe_at_) subscribe();
}

}  // namespace turnpike::cluster
