#include "cluster/own_members.hpp"

#include <utility>

#include "cluster/redis_reply.hpp"
#include "cluster/room_message.hpp"

namespace turnpike::cluster {
namespace {

using Command = RedisConnection::Command;
using signaling::MemberId;
using signaling::Presence;

std::size_t octets_of(const Presence& presence) {
  std::size_t octets = 200 + presence.name.size() + presence.role.size() + presence.quota_user.size();
  for (const std::string& room : presence.rooms) octets += room.size() + 3;
  return octets;
}

}  // namespace

OwnMembers::OwnMembers(const OwnRun& own, const signaling::HubCluster& hub, MembersHash& hash, RoomLink& link,
                       MissedEvents& missed, std::function<void()> when_written)
    : own_(own),
      hub_(hub),
      hash_(hash),
      link_(link),
      missed_(missed),
      when_written_(std::move(when_written)) {}

void OwnMembers::write_held() {
  if (!writing_) return;
  writing_->left = hub_.presences();
  write_portion();
}

void OwnMembers::write_all(bool was_away) {
  if (!link_.is_linked() || writing_) return;
  is_unwritten_ = false;
  writing_.emplace(was_away);
  writing_->left = hub_.presences();
  looked_until_ = "0";
  write_portion();
}

// There is no state in Redis until all members are written, so no node takes some of them for all.
void OwnMembers::write_portion() {
  MembersHash::Members portion;
  std::vector<MemberId> members;
  for (std::size_t octets = 0; octets < kPortion && !writing_->left.empty(); writing_->left.pop_back()) {
    Presence& presence = writing_->left.back();
    octets += octets_of(presence);
    members.push_back(presence.id);
    portion.emplace(presence.id, std::move(presence));
  }
  const std::string key = own_.members_key(own_.name);
  std::vector<Command> commands = hash_.member_commands(portion);
  if (!std::exchange(writing_->begun, true)) commands.insert(commands.begin(), {"DEL", key});
  writing_->is_last = writing_->left.empty();
  if (writing_->is_last) {
    for (Command& command : hash_.member_commands(writing_->changed)) commands.push_back(std::move(command));
    commands.push_back(hash_.state_command(MembersHash::kState, link_.publisher().sequence() + 1));
    commands.push_back(hash_.state_command(MembersHash::kWhole, link_.publisher().sequence() + 1));
  }
  hash_.write(std::move(commands), [this](const redisReply* reply) {
    if (!reply || !writing_) return;
    if (!is_done(reply) || writing_->is_last) return on_all_written(is_done(reply));
    write_portion();
  });
  if (!writing_ || !writing_->was_away) return;
  for (const MemberId& member : members) missed_.fetch(member);
}

// When Redis has refused the members, nodes that have received everything so far can still be told what has
// changed.
void OwnMembers::on_all_written(bool is_written) {
  const Writing written = *std::exchange(writing_, std::nullopt);
  std::vector<Presence> untold;
  if (is_written) {
    // The others notice a missing number, and read all members.
    whole_sequence_ = link_.publisher().count_change();
    link_.publisher().say_alive(RoomMessage::Kind::hello);
  } else {
    is_unwritten_ = true;
    for (const auto& [id, presence] : written.changed) untold.push_back(presence);
  }
  for (const auto& [id, presence] : written.later) untold.push_back(presence);
  write_changes(std::move(untold));
  when_written_();
}

void OwnMembers::write_changes(std::vector<Presence> changes) {
  if (!link_.is_linked()) return;  // write_all() will write them
  if (writing_) {
    auto& held = writing_->is_last ? writing_->later : writing_->changed;
    for (const Presence& presence : changes) held.insert_or_assign(presence.id, presence);
    return;
  }
  auto next = changes.begin();
  while (next != changes.end()) {
    RoomMessage message{.kind = RoomMessage::Kind::changes, .node = {}, .run = {}};
    MembersHash::Members latest;  // of each member
    for (std::size_t octets = 0; octets < kPortion && next != changes.end(); ++next) {
      octets += octets_of(*next);
      latest.insert_or_assign(next->id, *next);
      message.changes.push_back(std::move(*next));
    }
    const std::uint64_t number = link_.publisher().count_change();
    std::vector<Command> commands = hash_.member_commands(latest);
    commands.push_back(hash_.state_command(MembersHash::kState, number));
    hash_.write(std::move(commands), [this](const redisReply* reply) {
      if (reply && !is_done(reply)) is_unwritten_ = true;
    });
    // Nodes that listen do not need the hash, so the changes are published even when Redis stores no more.
    link_.publisher().publish(own_.rooms_channel, std::move(message));
  }
}

void OwnMembers::look_after() {
  hash_.keep_alive();
  check();
  if (is_unwritten_) write_all(false);
}

// Others may have changed what this node has written, so this checks the node's own members in portions.
void OwnMembers::check() {
  if (writing_) return;
  const auto verify = [this, sequence = link_.publisher().sequence(),
                       members = hub_.count_presences()](const redisReply* reply) {
    const SteadyTime now = own_.clock().steady;
    if (!reply || writing_ || (is_done(reply) && verify_hash(*reply, sequence, members)) || now < rewrite_at_)
      return;
    rewrite_at_ = now + kBetweenRewrites;
    write_all(false);
  };
  hash_.look(looked_until_, verify);
}

bool OwnMembers::verify_hash(const redisReply& replies, std::uint64_t sequence, std::size_t members) {
  if (replies.elements != 3) return false;
  const redisReply& states = *replies.element[0];
  const redisReply& count = *replies.element[1];
  const redisReply& portion = *replies.element[2];
  if (states.type != REDIS_REPLY_ARRAY || states.elements != 2 || !MembersHash::is_portion(portion))
    return false;
  looked_until_ = *text_of(portion.element[0]);
  return hash_.is_own_state(MembersHash::kWhole, states.element[0], whole_sequence_) &&
         hash_.is_own_state(MembersHash::kState, states.element[1], sequence) &&
         count.type == REDIS_REPLY_INTEGER && static_cast<std::size_t>(count.integer) == members + 2 &&
         verify_portion(*portion.element[1], sequence == link_.publisher().sequence());
}

// `is_latest` means that no member has changed since the portion was requested.
bool OwnMembers::verify_portion(const redisReply& fields, bool is_latest) {
  const std::string key = own_.members_key(own_.name);
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
    const std::string field(text_of(fields.element[i]).value_or(""));
    if (field == MembersHash::kState || field == MembersHash::kWhole) continue;
    const std::optional<Presence> written = hash_.open_member(key, field, own_.run, fields.element[i + 1]);
    if (!written) return false;
    if (!is_latest) continue;
    const std::optional<Presence> known = hub_.presence(written->id);
    if (!known || known->version != written->version) return false;
  }
  return true;
}

}  // namespace turnpike::cluster
