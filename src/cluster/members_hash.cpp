#include "cluster/members_hash.hpp"

#include <charconv>
#include <utility>

#include "cluster/redis_reply.hpp"
#include "cluster/room_message.hpp"

namespace turnpike::cluster {
namespace {

using signaling::MemberId;
using signaling::Presence;

constexpr std::size_t kPairsAtOnce = 100;    // members in one command
constexpr std::size_t kMaxFields = 1 << 20;  // of a hash
constexpr std::size_t kEmptyPortion = 100;   // each portion counts as this many fields more
const std::string kFieldsAtOnce = "500";
const std::string kMembersLive = "30000";  // ms after the last word of their node

}  // namespace

// --- The hash of this node

std::vector<MembersHash::Command> MembersHash::member_commands(const Members& presences) {
  const std::string key = own_.members_key(own_.name);
  std::vector<Command> commands;
  Command gone{"HDEL", key};
  Command set{"HSET", key};
  const auto flush = [&commands](Command& command) {
    if (command.size() == 2) return;
    commands.push_back(command);
    command.resize(2);
  };
  for (const auto& [id, presence] : presences) {
    const std::string field = id.to_string();
    if (presence.rooms.empty()) {
      gone.push_back(field);
    } else {
      set.push_back(field);
      set.push_back(seal_.seal(key + field + own_.run, to_json(presence)));
    }
    if (set.size() >= 2 * kPairsAtOnce) flush(set);
  }
  flush(set);
  flush(gone);
  return commands;
}

// The text is "RUN:12".
MembersHash::Command MembersHash::state_command(const std::string& field, std::uint64_t sequence) {
  const std::string key = own_.members_key(own_.name);
  const std::string text = own_.run + ":" + std::to_string(sequence);
  return {"HSET", key, field, seal_.seal(key + field, text)};
}

void MembersHash::write(std::vector<Command> commands, RedisConnection::Answer answer) {
  commands.push_back({"PEXPIRE", own_.members_key(own_.name), kMembersLive});
  commands_.send_together(commands, std::move(answer));
}

void MembersHash::keep_alive() {
  const std::string key = own_.members_key(own_.name);
  commands_.send({"PEXPIRE", key, kMembersLive});
}

void MembersHash::look(const std::string& cursor, RedisConnection::Answer answer) {
  const std::string key = own_.members_key(own_.name);
  commands_.send_together(
      {{"HMGET", key, kWhole, kState}, {"HLEN", key}, {"HSCAN", key, cursor, "COUNT", kFieldsAtOnce}},
      std::move(answer));
}

bool MembersHash::is_own_state(const std::string& field, const redisReply* reply, std::uint64_t sequence) {
  return open_state(own_.name, field, reply) == own_.run + ":" + std::to_string(sequence);
}

// --- The hash of any node

void MembersHash::scan(const std::string& name, const WhenRead& when_read) {
  const std::string key = own_.members_key(name);
  const auto begin = [this, name, when_read](const redisReply* reply) {
    const auto snapshot = std::make_shared<Snapshot>();
    const bool is_right = is_done(reply) && reply->elements == 2 &&
                          read_state(name, *snapshot, *reply->element[0]) &&
                          read_portion(name, *snapshot, *reply->element[1]);
    if (!is_right) return when_read(nullptr);
    const std::string cursor(*text_of(reply->element[1]->element[0]));
    if (cursor == "0") return when_read(snapshot);
    continue_scan(name, snapshot, cursor, when_read);
  };
  commands_.send_together({{"HMGET", key, kWhole, kState}, {"HSCAN", key, "0", "COUNT", kFieldsAtOnce}},
                          begin);
}

// A member that changes meanwhile is read in its old or its new state; the messages about it wait in the
// backlog of that node.
void MembersHash::continue_scan(const std::string& name, const std::shared_ptr<Snapshot>& snapshot,
                                const std::string& cursor, const WhenRead& when_read) {
  const std::string key = own_.members_key(name);
  if (cursor != "0") {
    commands_.send({"HSCAN", key, cursor, "COUNT", kFieldsAtOnce},
                   [this, name, snapshot, when_read](const redisReply* reply) {
                     if (!reply || !read_portion(name, *snapshot, *reply)) return when_read(nullptr);
                     continue_scan(name, snapshot, std::string(*text_of(reply->element[0])), when_read);
                   });
    return;
  }
  commands_.send({"HGET", key, kWhole}, [snapshot, when_read](const redisReply* reply) {
    when_read(text_of(reply) == snapshot->whole ? snapshot : nullptr);
  });
}

bool MembersHash::read_state(const std::string& name, Snapshot& snapshot, const redisReply& whole_and_state) {
  if (whole_and_state.type != REDIS_REPLY_ARRAY || whole_and_state.elements != 2) return false;
  const auto whole = open_state(name, kWhole, whole_and_state.element[0]);
  const auto state = open_state(name, kState, whole_and_state.element[1]);
  if (!whole || !state) return false;
  const std::size_t colon = state->find(':');
  snapshot.run = state->substr(0, colon);
  snapshot.whole = *text_of(whole_and_state.element[0]);
  if (colon != std::string_view::npos) {
    std::from_chars(state->data() + colon + 1, state->data() + state->size(), snapshot.sequence);
  }
  return whole->substr(0, whole->find(':')) == snapshot.run;
}

std::optional<std::string_view> MembersHash::open_state(const std::string& name, const std::string& field,
                                                        const redisReply* reply) {
  const auto sealed = text_of(reply);
  if (!sealed) return std::nullopt;  // the node has not written it yet, or Redis has lost it
  const auto text = seal_.open(own_.members_key(name) + field, *sealed);
  if (!text) log_.refuse(own_.members_key(name));
  return text;
}

// Returns whether the reply is a portion, even when some of its fields are wrong.
bool MembersHash::read_portion(const std::string& name, Snapshot& snapshot, const redisReply& portion) {
  if (!is_portion(portion)) return false;
  const std::string key = own_.members_key(name);
  const redisReply& fields = *portion.element[1];
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
    const std::string field(text_of(fields.element[i]).value_or(""));
    if (field == kState || field == kWhole) continue;
    std::optional<Presence> presence = open_member(key, field, snapshot.run, fields.element[i + 1]);
    if (!presence) continue;
    const auto [known, is_new] = snapshot.members.try_emplace(presence->id, *presence);
    if (!is_new && known->second.version < presence->version) known->second = std::move(*presence);
  }
  // The number of portions is limited, even when they are empty.
  snapshot.read += fields.elements / 2 + kEmptyPortion;
  return snapshot.read <= kMaxFields;
}

std::optional<Presence> MembersHash::open_member(const std::string& key, const std::string& field,
                                                 const std::string& run, const redisReply* reply) {
  const auto text = seal_.open(key + field + run, text_of(reply).value_or(""));
  std::optional<Presence> presence = text ? parse_presence(*text) : std::nullopt;
  if (presence && presence->id.to_string() == field) return presence;
  log_.refuse(key);
  return std::nullopt;
}

bool MembersHash::is_portion(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ARRAY && reply.elements == 2 && text_of(reply.element[0]) &&
         reply.element[1]->type == REDIS_REPLY_ARRAY;
}

}  // namespace turnpike::cluster
