#include "cluster/missed_events.hpp"

#include <set>
#include <string>
#include <utility>

#include "cluster/freshness.hpp"
#include "cluster/redis_reply.hpp"
#include "cluster/room_message.hpp"

namespace turnpike::cluster {
namespace {

const std::string kMissedLive = "120";  // s; a member may come back within this time

// Returns whether the number may belong to an event that Redis still keeps, which it does for kMissedLive.
bool is_recent(std::uint64_t number, WallTime now) {
  return Freshness::is_timely(number, now) || Freshness::is_timely(number, now - std::chrono::minutes(2));
}

}  // namespace

void MissedEvents::keep(const signaling::MemberId& member,
                        const std::shared_ptr<const signaling::Event>& event) {
  const std::string key = own_.missed_key(member);
  const std::string octets_key = key + ":octets";
  const std::string text =
      seal_.seal(key, to_json(KeptEvent{own_.name, link_.publisher().next_number(), event}));
  if (!link_.publisher().admit(text)) return;
  ++counters_.kept;
  const auto check = [this, member, key, octets_key](const redisReply* reply) {
    if (!is_done(reply) || reply->elements < 2) return;
    const auto is_beyond = [&](std::size_t i, std::size_t most) {
      return reply->element[i]->type == REDIS_REPLY_INTEGER &&
             reply->element[i]->integer > static_cast<long long>(most);
    };
    if (!is_beyond(0, kMaxMissed) && !is_beyond(1, kMaxMissedOctets)) return;
    link_.commands().send({"UNLINK", key, octets_key});
    local_.give_up(member);
    local_.deliver();
  };
  link_.commands().send_together({{"RPUSH", key, text},
                                  {"INCRBY", octets_key, std::to_string(event->message.size())},
                                  {"EXPIRE", key, kMissedLive},
                                  {"EXPIRE", octets_key, kMissedLive}},
                                 check);
}

void MissedEvents::fetch(const signaling::MemberId& member, std::function<void()> then) {
  const std::string key = own_.missed_key(member);
  const auto take = [this, key, member, then = std::move(then)](const redisReply* reply) {
    const bool is_list = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                         reply->element[0]->type == REDIS_REPLY_ARRAY;
    std::set<std::pair<std::string, std::uint64_t>> taken;
    for (std::size_t i = 0; is_list && i < reply->element[0]->elements; ++i) {
      const auto sealed = text_of(reply->element[0]->element[i]);
      const auto text = sealed ? seal_.open(key, *sealed) : std::nullopt;
      const auto kept = text ? parse_kept_event(*text) : std::nullopt;
      const WallTime now = own_.clock().wall;
      if (!kept || !is_recent(kept->number, now) || !taken.emplace(kept->node, kept->number).second) {
        log_.refuse(key);
        continue;
      }
      const bool is_here = local_.hub().node_of(member) == signaling::kThisNode;
      local_.receive({.to = {member}, .event = kept->event, .forwarded = is_here ? 1U : 0U});
    }
    if (then) then();
    if (!link_.is_stopped()) local_.deliver();
  };
  link_.commands().send_together({{"LRANGE", key, std::to_string(-static_cast<long>(kMaxMissed)), "-1"},
                                  {"UNLINK", key, key + ":octets"}},
                                 take);
}

}  // namespace turnpike::cluster
