#include "cluster/kept_orders.hpp"

#include <chrono>
#include <utility>

#include "cluster/known_nodes.hpp"
#include "cluster/redis_reply.hpp"

namespace turnpike::cluster {

// These are not in one transaction with the PUBLISH, which works even when Redis is full.
void KeptOrders::keep(std::uint64_t number, const std::string& sealed) {
  const auto day = static_cast<std::uint64_t>(std::chrono::milliseconds(KnownNodes::kKept).count());
  RedisConnection& commands = link_.commands();
  commands.send({"ZREMRANGEBYSCORE", own_.orders, "-inf", std::to_string(number - day)});
  commands.send({"ZADD", own_.orders, std::to_string(number), sealed});
  commands.send({"ZREMRANGEBYRANK", own_.orders, "0", std::to_string(-1 - kMax)});
}

void KeptOrders::read(Take take) {
  link_.commands().send({"ZREVRANGE", own_.orders, "0", std::to_string(kMax - 1)},
                        [this, take = std::move(take)](const redisReply* reply) {
                          if (reply && !link_.is_stopped()) take(list(*reply));
                        });
}

std::vector<std::string_view> KeptOrders::list(const redisReply& reply) {
  // An error of this type means that the value is not a sorted set.
  if (is_wrong_type(&reply)) link_.commands().send({"UNLINK", own_.orders});
  std::vector<std::string_view> sealed;
  const std::size_t count = reply.type == REDIS_REPLY_ARRAY ? reply.elements : 0;
  for (std::size_t i = count; i-- > 0;) {  // Redis begins with the latest order
    if (const auto text = text_of(reply.element[i])) sealed.push_back(*text);
  }
  return sealed;
}

}  // namespace turnpike::cluster
