#include "cluster/room_link.hpp"

#include <utility>

#include "cluster/freshness.hpp"

namespace turnpike::cluster {
namespace {

using Warning = ClusterLog::Warning;

}  // namespace

RoomLink::RoomLink(boost::asio::io_context& io, const Params& params, const OwnRun& own, Seal& seal,
                   ClusterLog& log, Counters& counters, Hooks hooks)
    : own_(own),
      log_(log),
      disconnected_(counters.disconnected),
      hooks_(std::move(hooks)),
      commands_(io, params, command_handlers()),
      subscription_(io, params, own, {own.rooms_channel, own.channel_of(own.name)}, subscription_handlers()),
      publisher_(own, seal, commands_, counters) {}

void RoomLink::start() {
  commands_.start();
  subscription_.start();
}

void RoomLink::stop() {
  stopped_ = true;
  commands_.stop();
  subscription_.stop();
}

RedisConnection::Handlers RoomLink::command_handlers() {
  return {.up = [this] { try_to_link(); },
          .down = [this](const std::string& why) { on_lost(why); },
          .refused = [this](const std::string& error) { log_.warn_of_refused_command(error); },
          .message = [](std::string_view, std::string_view) {}};
}

RedisConnection::Handlers RoomLink::subscription_handlers() {
  RedisConnection::Handlers handlers = command_handlers();
  handlers.message = [this](std::string_view channel, std::string_view payload) {
    hooks_.message(channel, payload);
  };
  return handlers;
}

// Usually both connections are lost, one after the other, and only the first loss is reported.
void RoomLink::on_lost(const std::string& why) {
  publisher_.forget_echo();
  if (is_linked()) {
    ++disconnected_;
    unlink();
    log_.take_due_warning(Warning::unreachable);
    log_.warn("cluster: Redis is away (" + why + "): rooms go on among the members of this node");
  } else if (log_.take_due_warning(Warning::unreachable)) {
    log_.warn("cluster: Redis cannot be reached: " + why);
  }
}

void RoomLink::unlink() {
  is_connected_ = 0;
  hooks_.unlinked();
}

bool RoomLink::can_link() const {
  return !is_linked() && !stopped_ && subscription_.is_listening() && commands_.is_up() &&
         own_.clock().steady >= paused_until_;
}

// Nobody else hears this word, and its echo leads to on_linked().
void RoomLink::try_to_link() {
  if (can_link()) publisher_.say_to_self();
}

void RoomLink::on_linked() {
  is_connected_ = 1;
  linked_since_ = own_message_heard_ = own_.clock().steady;
  log_.info("cluster: Redis is there, and this is node " + own_.name);
  hooks_.linked();
}

void RoomLink::hear_own_message(std::uint64_t number, SteadyTime now) {
  own_message_heard_ = now;
  if (publisher_.hear_echo(number) && can_link()) on_linked();
}

bool RoomLink::is_deaf(SteadyTime now) const {
  return now - own_message_heard_ > 2 * RoomPublisher::kInterval;
}

void RoomLink::pause_for_namesake() {
  paused_until_ = own_.clock().steady + 2 * Freshness::kMaxSkew;
  if (is_linked()) unlink();
  if (!log_.take_due_warning(Warning::same_name)) return;
  log_.warn("cluster: another server is node " + own_.name +
            " too, and was started later: the rooms of this server go on with its own members only. Each "
            "server needs its own cluster.node");
}

void RoomLink::try_again() {
  subscription_.subscribe_if_due();
  try_to_link();
}

void RoomLink::look_for_echo() {
  if (publisher_.look_for_missing_echo()) start_anew();
}

// Both connections begin anew, since it is not known which of them reaches the right server.
void RoomLink::start_anew() {
  const std::string why(Echo::kMissing);
  // So that this reason is reported, whatever was reported before.
  if (log_.take_due_warning(Warning::echo)) log_.make_due(Warning::unreachable);
  subscription_.start_anew(why);
  commands_.start_anew(why);
}

}  // namespace turnpike::cluster
