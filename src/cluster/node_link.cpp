#include "cluster/node_link.hpp"

#include <utility>

namespace turnpike::cluster {
namespace {

using Warning = ClusterLog::Warning;

}  // namespace

NodeLink::NodeLink(boost::asio::io_context& io, const Params& params, const OwnNode& own,
                   SealedOrders& sealed, ClusterLog& log, Hooks hooks)
    : own_(own),
      sealed_(sealed),
      log_(log),
      hooks_(std::move(hooks)),
      commands_(io, params, command_handlers()),
      subscription_(io, params, own, {own.orders, own.answers_channel(own.name), own.revoked},
                    subscription_handlers()),
      farewell_(io) {}

void NodeLink::start() {
  commands_.start();
  subscription_.start();
}

void NodeLink::stop() {
  stopped_ = true;
  subscription_.stop();
}

void NodeLink::end_after(const RedisConnection::Command& last) {
  farewell_.expires_after(kFarewell);
  farewell_.async_wait([this](const boost::system::error_code&) { end(); });
  commands_.send(last, [this](const redisReply*) { farewell_.cancel(); });
}

RedisConnection::Handlers NodeLink::command_handlers() {
  return {.up =
              [this] {
                hooks_.up();
                send_echo();
              },
          .down =
              [this](const std::string& why) {
                on_lost(why);
                hooks_.down();
              },
          .refused = [this](const std::string& error) { log_.warn_of_refused_command(error); },
          .message = [](std::string_view, std::string_view) {}};
}

RedisConnection::Handlers NodeLink::subscription_handlers() {
  RedisConnection::Handlers handlers = command_handlers();
  handlers.up = [this] {
    hooks_.subscribed();
    send_echo();
  };
  handlers.down = [this](const std::string& why) {
    hooks_.unsubscribed();
    on_lost(why);
  };
  handlers.message = [this](std::string_view channel, std::string_view payload) {
    hooks_.message(channel, payload);
  };
  return handlers;
}

// Usually both connections are lost, one after the other, and only the first loss is reported.
void NodeLink::on_lost(const std::string& why) {
  echo_.reset();
  if (std::exchange(is_linked_, false)) {
    if (hooks_.unlinked) hooks_.unlinked(why);
    log_.postpone(Warning::unreachable);
  } else if (log_.take_due_warning(Warning::unreachable) && hooks_.unreachable) {
    hooks_.unreachable(why);
  }
}

// It is an answer to an order that there is not, and nobody else hears it.
void NodeLink::send_echo() {
  if (stopped_ || !commands_.is_up() || !subscription_.is_listening()) return;
  const TimePoint now = own_.clock();
  next_echo_ = now.steady + kBetweenEchoes;
  const std::uint64_t number = numbers_.next(now.wall);
  echo_.send(number);
  commands_.send(sealed_.answer(own_.name, number, OrderResult::done),
                 [this, number](const redisReply* reply) {
                   if (reply && reply->type == REDIS_REPLY_INTEGER) echo_.expect(number);
                 });
}

void NodeLink::hear_echo(std::uint64_t number) {
  if (!echo_.hear(number)) return;
  if (is_linked_ || stopped_ || !commands_.is_up() || !subscription_.is_listening()) return;
  is_linked_ = true;
  hooks_.linked();
}

// Both connections begin anew, since it is not known which of them reaches the right server.
void NodeLink::look_for_echo() {
  if (!echo_.count_look()) {
    if (own_.clock().steady >= next_echo_) send_echo();
    return;
  }
  const std::string why(Echo::kMissing);
  if (log_.take_due_warning(Warning::echo)) {
    log_.make_due(Warning::unreachable);  // so that this reason is reported, whatever was reported before
    // Rooms that are linked report their own connections alone.
    if (is_linked_ && !hooks_.unlinked)
      log_.warn("cluster: Redis is away for quotas and orders (" + why + ")");
  }
  subscription_.start_anew(why);
  commands_.start_anew(why);
}

void NodeLink::keep_listening() {
  subscription_.subscribe_if_due();
  subscription_.ping();
}

}  // namespace turnpike::cluster
