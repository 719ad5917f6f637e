#include "cluster/rooms.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include "cluster/freshness.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/room_message.hpp"
#include "turnpike/base/bytes.hpp"

namespace turnpike::cluster {
namespace {

using signaling::MemberId;
using signaling::Outgoing;

constexpr std::chrono::seconds kTick{1};

}  // namespace

signaling::ClusterParams hub_params(const Params& params, std::string_view run) {
  signaling::ClusterParams out;
  for (const std::string& secret : params.secrets) {
    const crypto::Sha256 key = derive_key(secret, "turnpike resume secrets");
    out.resume_keys.emplace_back(key.begin(), key.end());
  }
  const crypto::Sha256 tag = derive_key(run, params.node);
  out.tag = load_u16(tag.data());
  return out;
}

Rooms::Rooms(boost::asio::io_context& io, const Params& params, std::string run, signaling::HubCluster& hub,
             Hooks hooks)
    : own_(params, std::move(run), std::move(hooks.clock)),
      log_(own_, std::move(hooks.info), std::move(hooks.warn), counters_.refused),
      local_(hub, std::move(hooks.deliver)),
      seal_(params.secrets),
      link_(io, params, own_, seal_, log_, counters_,
            {.linked = [this] { on_linked(); },
             .unlinked = [this] { own_members_.give_up_writing(); },
             .message = [this](std::string_view channel,
                               std::string_view payload) { on_message(channel, payload); }}),
      hash_(own_, seal_, link_.commands(), log_),
      missed_(own_, seal_, link_, log_, local_, counters_),
      own_members_(own_, local_.hub(), hash_, link_, missed_, [this] { outbox_.send_waiting(); }),
      others_(own_, local_, hash_, missed_, log_, counters_.snapshots),
      outbox_(own_, local_, link_, own_members_, others_, missed_, counters_),
      timer_(io) {}

void Rooms::start() {
  link_.start();
  tick();
}

void Rooms::stop() {
  timer_.cancel();
  link_.stop();
}

void Rooms::on_linked() {
  if (others_.has_read_former_run()) return own_members_.write_all(true);
  own_members_.hold();
  others_.read_former_run([this] { own_members_.write_held(); });
}

void Rooms::send_to_nodes() {
  if (link_.is_stopped()) return;
  own_members_.write_changes(local_.take_changes());
  for (const Outgoing& message : local_.take_outgoing()) outbox_.send(message);
  for (const MemberId& member : local_.take_arrived()) missed_.fetch(member);
}

void Rooms::on_message(std::string_view channel, std::string_view payload) {
  if (payload.size() > RedisConnection::kMaxWaiting) return log_.refuse(channel);  // no node can have sent it
  const auto text = seal_.open(channel, payload);
  std::optional<RoomMessage> message = text ? parse_room_message(*text) : std::nullopt;
  if (!message) return log_.refuse(channel);
  ++counters_.received;
  const SteadyTime now = own_.clock().steady;
  if (message->node == own_.name) {
    if (message->run == own_.run) link_.hear_own_message(message->number, now);
    const bool is_now = Freshness::is_timely(message->number, own_.clock().wall);
    if (message->run > own_.run && is_now) link_.pause_for_namesake();
    return;
  }
  if (link_.is_paused(now)) return;
  if (!others_.accept(*message)) return;
  const bool is_first_word = others_.hear(*message, now, link_.linked_since());
  // This word tells a node that has not listened what it has missed, before it gets the waiting messages.
  const bool was_away = message->kind == RoomMessage::Kind::hello || (is_first_word && outbox_.has_waiting());
  if (was_away) link_.publisher().say_alive(RoomMessage::Kind::alive);
  outbox_.send_waiting();
  others_.handle(std::move(*message), payload.size());
  local_.deliver();
}

void Rooms::tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || link_.is_stopped()) return;
    if (link_.is_linked()) {
      const SteadyTime now = own_.clock().steady;
      link_.ping();
      if (link_.publisher().is_alive_due(now)) {
        link_.publisher().say_alive(RoomMessage::Kind::alive);
        own_members_.look_after();
        others_.forget_old_numbers(own_.clock().wall);
      }
      drop_silent_nodes(now);
    } else {
      link_.try_again();
    }
    link_.look_for_echo();
    tick();
  });
}

void Rooms::drop_silent_nodes(SteadyTime now) {
  if (link_.is_deaf(now)) return;
  others_.drop_silent(now, link_.linked_since());
  outbox_.send_waiting();
  local_.deliver();
}

}  // namespace turnpike::cluster
