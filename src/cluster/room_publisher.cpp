#include "cluster/room_publisher.hpp"

#include <utility>

namespace turnpike::cluster {

void RoomPublisher::publish(const std::string& channel, RoomMessage message, RedisConnection::Answer answer) {
  message.node = own_.name;
  message.run = own_.run;
  if (message.number == 0) message.number = next_number();
  message.sequence = sequence_;
  const std::string text = seal_.seal(channel, to_json(message));
  if (message.kind == RoomMessage::Kind::said && !admit(text)) return;
  ++counters_.sent;
  commands_.send({"PUBLISH", channel, text}, std::move(answer));
}

bool RoomPublisher::admit(const std::string& text) {
  if (commands_.waiting() + text.size() <= kMaxSaidOctets) return true;
  ++counters_.dropped;
  return false;
}

void RoomPublisher::say_alive(RoomMessage::Kind kind) {
  next_alive_ = own_.clock().steady + kInterval;
  say_with_echo(own_.rooms_channel, kind);
}

void RoomPublisher::say_with_echo(const std::string& channel, RoomMessage::Kind kind) {
  const std::uint64_t number = next_number();
  echo_.send(number);
  publish(channel, {.kind = kind, .node = {}, .run = {}, .number = number},
          [this, number](const redisReply* reply) {
            if (reply && reply->type == REDIS_REPLY_INTEGER) echo_.expect(number);
          });
}

}  // namespace turnpike::cluster
