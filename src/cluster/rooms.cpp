#include "cluster/rooms.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "turnpike/base/bytes.hpp"

namespace turnpike::cluster {
namespace {

using Command = RedisConnection::Command;
using signaling::MemberId;
using signaling::Outgoing;
using signaling::Presence;
using Warning = RoomLog::Warning;

constexpr std::chrono::seconds kTick{1};
constexpr std::size_t kMaxRunsAtOnce = 100;  // former runs of nodes
const std::string kMissedLive = "120";       // s; a member may come back within this time

// Returns whether the number may belong to an event that Redis still keeps, which it does for kMissedLive.
bool is_recent(std::uint64_t number, WallTime now) {
  return Freshness::is_timely(number, now) || Freshness::is_timely(number, now - std::chrono::minutes(2));
}

std::size_t octets_of(const Presence& presence) {
  std::size_t octets = 200 + presence.name.size() + presence.role.size() + presence.quota_user.size();
  for (const std::string& room : presence.rooms) octets += room.size() + 3;
  return octets;
}

std::size_t octets_of(const Outgoing& message) {
  const std::size_t octets = sizeof message + message.to.size() * sizeof(MemberId);
  return message.event ? octets + message.event->message.size() : octets;
}

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

Rooms::Rooms(boost::asio::io_context& io, const Params& params, std::string run, signaling::Hub& hub,
             Hooks hooks)
    : own_(params, std::move(run), std::move(hooks.clock)),
      log_(own_, std::move(hooks.info), std::move(hooks.warn), counters_.refused),
      local_(hub, std::move(hooks.deliver)),
      seal_(params.secrets),
      link_(io, params, own_, seal_, log_, counters_,
            {.linked = [this] { on_linked(); },
             .unlinked = [this] { writing_.reset(); },
             .message = [this](std::string_view channel,
                               std::string_view payload) { on_message(channel, payload); }}),
      hash_(own_, seal_, link_.commands(), log_),
      timer_(io) {}

void Rooms::start() {
  link_.start();
  tick();
}

void Rooms::stop() {
  timer_.cancel();
  link_.stop();
}

// --- The members of this node in Redis

void Rooms::on_linked() {
  if (!std::exchange(has_read_former_run_, true)) {
    read_former_run();
  } else {
    write_all(true);
  }
}

// A node that was restarted reads from Redis who its members were, so that they can come back to it.
void Rooms::read_former_run() {
  writing_.emplace(false);
  hash_.scan(own_.name, [this](const std::shared_ptr<MembersHash::Snapshot>& former) {
    if (!former && !link_.commands().is_up()) {
      has_read_former_run_ = false;  // nor may it be written over
      return;
    }
    if (former && former->run != own_.run) {
      const signaling::NodeNumber number = ++last_number_;
      formers_.push_back({number, own_.clock().steady + kMaxSilence});
      for (const auto& [id, presence] : former->members) local_.update(number, presence);
      local_.deliver();
    }
    if (!writing_) return;
    writing_->left = local_.hub().presences();
    write_portion();
  });
}

void Rooms::write_all(bool was_away) {
  if (!link_.is_linked() || writing_) return;
  is_unwritten_ = false;
  writing_.emplace(was_away);
  writing_->left = local_.hub().presences();
  looked_until_ = "0";
  write_portion();
}

// There is no state in Redis until all members are written, so no node takes some of them for all.
void Rooms::write_portion() {
  std::map<MemberId, Presence> portion;
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
  for (const MemberId& member : members) fetch_missed(member);
}

// When Redis has refused the members, nodes that have received everything so far can still be told what has
// changed.
void Rooms::on_all_written(bool is_written) {
  const Writing written = *std::exchange(writing_, std::nullopt);
  std::vector<Presence> untold;
  if (is_written) {
    whole_sequence_ =
        link_.publisher().count_change();  // the others notice a missing number, and read all members
    link_.publisher().say_alive(RoomMessage::Kind::hello);
  } else {
    is_unwritten_ = true;
    for (const auto& [id, presence] : written.changed) untold.push_back(presence);
  }
  for (const auto& [id, presence] : written.later) untold.push_back(presence);
  write_changes(std::move(untold));
  send_waiting();
}

// Others may have changed what this node has written, so this checks the node's own members in portions.
void Rooms::check_own_members() {
  if (writing_) return;
  const auto verify = [this, sequence = link_.publisher().sequence(),
                       members = local_.hub().count_presences()](const redisReply* reply) {
    const SteadyTime now = own_.clock().steady;
    if (!reply || writing_ || (is_done(reply) && verify_own_members(*reply, sequence, members)) ||
        now < rewrite_at_)
      return;
    rewrite_at_ = now + kBetweenRewrites;
    write_all(false);
  };
  hash_.look(looked_until_, verify);
}

bool Rooms::verify_own_members(const redisReply& replies, std::uint64_t sequence, std::size_t members) {
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
         verify_own_portion(*portion.element[1], sequence == link_.publisher().sequence());
}

// `is_latest` means that no member has changed since the portion was requested.
bool Rooms::verify_own_portion(const redisReply& fields, bool is_latest) {
  const std::string key = own_.members_key(own_.name);
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
    const std::string field(text_of(fields.element[i]).value_or(""));
    if (field == MembersHash::kState || field == MembersHash::kWhole) continue;
    const std::optional<Presence> written = hash_.open_member(key, field, own_.run, fields.element[i + 1]);
    if (!written) return false;
    if (!is_latest) continue;
    const std::optional<Presence> known = local_.hub().presence(written->id);
    if (!known || known->version != written->version) return false;
  }
  return true;
}

void Rooms::write_changes(std::vector<Presence> changes) {
  if (!link_.is_linked()) return;  // write_all() will write them
  if (writing_) {
    auto& held = writing_->is_last ? writing_->later : writing_->changed;
    for (const Presence& presence : changes) held.insert_or_assign(presence.id, presence);
    return;
  }
  auto next = changes.begin();
  while (next != changes.end()) {
    RoomMessage message{.kind = RoomMessage::Kind::changes, .node = {}, .run = {}};
    std::map<MemberId, Presence> latest;  // of each member
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

// --- Messages to other nodes

void Rooms::send_to_nodes() {
  if (link_.is_stopped()) return;
  write_changes(local_.take_changes());
  for (const Outgoing& message : local_.take_outgoing()) send(message);
  for (const MemberId& member : local_.take_arrived()) fetch_missed(member);
}

const std::string* Rooms::name_of(signaling::NodeNumber number) const {
  const auto found =
      std::ranges::find_if(nodes_, [&](const auto& entry) { return entry.second.number == number; });
  return found == nodes_.end() ? nullptr : &found->first;
}

void Rooms::send(const Outgoing& message) {
  const std::string* name = name_of(message.node);
  const bool must_wait =
      !link_.is_linked() || writing_ || (name && nodes_.at(*name).heard < link_.linked_since());
  if (must_wait) return add_to_waiting(message);
  if (!name) return redirect(message);
  RoomMessage text{.kind = message.event ? RoomMessage::Kind::said : RoomMessage::Kind::mark,
                   .node = {},
                   .run = {},
                   .said = message};
  if (!message.event) {
    const std::string* origin = message.origin == signaling::kThisNode ? &own_.name : name_of(message.origin);
    if (!origin) return;
    text.origin = *origin;
  }
  link_.publisher().publish(own_.channel_of(*name), std::move(text),
                            [this, message](const redisReply* reply) {
                              if (!reply || reply->type != REDIS_REPLY_INTEGER) {
                                ++counters_.dropped;
                              } else if (reply->integer == 0) {
                                redirect(message);  // nobody listens there any more
                              }
                            });
}

// The message waits until Redis is back and has all members of this node, so that no node gets a message from
// a member that it does not know. It also waits until its destination is known to be back, or is lost.
void Rooms::add_to_waiting(const Outgoing& message) {
  waiting_.push_back(message);
  waiting_octets_ += octets_of(message);
  while (waiting_.size() > kMaxWaiting || waiting_octets_ > kMaxWaitingOctets) {
    waiting_octets_ -= octets_of(waiting_.front());
    waiting_.pop_front();
    ++counters_.dropped;
  }
}

void Rooms::send_waiting() {
  waiting_octets_ = 0;
  for (const Outgoing& message : std::exchange(waiting_, {})) send(message);
}

// The destination is lost, so what was said is kept in Redis. When the member belongs to another node by now,
// the message goes there; but if this node also sends a mark, the new node fetches the message when the mark
// arrives. See Hub::has_company_here.
void Rooms::redirect(const Outgoing& message) {
  for (const MemberId& member : message.to) {
    const auto node = local_.hub().node_of(member);
    if (!node) continue;
    const bool is_here = node == signaling::kThisNode;
    const bool is_elsewhere = !is_here && node != message.node && name_of(*node);
    Outgoing one = message;
    one.node = *node;
    one.to = {member};
    one.forwarded = message.event ? message.forwarded + 1 : 0;
    if (is_elsewhere && (!message.event || !local_.hub().has_company_here(member))) {
      send(one);
    } else if (message.event) {
      keep(member, message.event);
    } else if (is_here) {
      fetch_missed(member, [this, one] { local_.receive(one); });
    }
  }
}

// Keeps an event for a member that may come back to another node.
void Rooms::keep(const MemberId& member, const std::shared_ptr<const signaling::Event>& event) {
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

void Rooms::fetch_missed(const MemberId& member, std::function<void()> then) {
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

// --- Messages from other nodes

void Rooms::on_message(std::string_view channel, std::string_view payload) {
  if (payload.size() > RedisConnection::kMaxWaiting) return log_.refuse(channel);  // no node can have sent it
  const auto text = seal_.open(channel, payload);
  std::optional<RoomMessage> message = text ? parse_room_message(*text) : std::nullopt;
  if (!message) return log_.refuse(channel);
  ++counters_.received;
  const SteadyTime now = own_.clock().steady;
  if (message->node == own_.name) {
    if (message->run == own_.run) {
      link_.hear_own_message(message->number, now);
    }
    const bool is_now = Freshness::is_timely(message->number, own_.clock().wall);
    if (message->run > own_.run && is_now) link_.pause_for_namesake();
    return;
  }
  if (link_.is_paused(now)) return;
  if (!nodes_.contains(message->node) && nodes_.size() >= kMaxNodes) {
    log_.refuse(Warning::ignored, "the cluster has more than " + std::to_string(kMaxNodes + 1) +
                                      " nodes: messages of node " + message->node + " are ignored");
    return;
  }
  if (!accept(*message)) return;
  Node& node = find_or_add_node(*message);
  const bool is_first_word = node.heard < link_.linked_since();
  node.heard = now;
  // This word tells a node that has not listened what it has missed, before it gets the waiting messages.
  const bool was_away = message->kind == RoomMessage::Kind::hello || (is_first_word && !waiting_.empty());
  if (was_away) link_.publisher().say_alive(RoomMessage::Kind::alive);
  send_waiting();
  handle_message(node, std::move(*message), payload.size());
  local_.deliver();
}

bool Rooms::accept(const RoomMessage& message) {
  switch (freshness_.accept(message.node, message.run, message.number, own_.clock().wall)) {
    case Freshness::Verdict::fresh: return true;
    case Freshness::Verdict::repeated:
      return log_.refuse(Warning::ignored,
                         "an old message of node " + message.node + " was sent again: it is ignored");
    case Freshness::Verdict::superseded:
      return log_.refuse(
          Warning::same_name,
          "two servers are node " + message.node +
              ": the one that was started first is ignored. Each server needs its own cluster.node");
    case Freshness::Verdict::untimely: break;
  }
  return log_.refuse(Warning::untimely,
                     "a message of node " + message.node +
                         " has a wrong time: it was sent again, or the clocks of the two nodes "
                         "differ by more than a minute. It is ignored");
}

// Returns the node that the message is from. It is a new node when the name is new, or belonged to another
// run.
Rooms::Node& Rooms::find_or_add_node(const RoomMessage& message) {
  Node& node = nodes_[message.node];
  if (node.run == message.run) return node;
  if (node.number == signaling::kThisNode) {
    log_.info("cluster: node " + message.node + " is there");
  } else {
    log_.info("cluster: node " + message.node + " has restarted");
    formers_.push_back({node.number, node.heard + kMaxSilence});
    if (formers_.size() > kMaxRunsAtOnce) formers_.front().until = {};
  }
  node = {};
  node.number = ++last_number_;
  node.run = message.run;
  node_count_ = nodes_.size() + 1;
  return node;
}

// A mark that comes directly from its origin could not be sent by way of the member's former node. The
// messages before it could not either, and were kept in Redis, so they are fetched first.
void Rooms::handle_mark(const Node& node, RoomMessage message) {
  const auto origin = nodes_.find(message.origin);
  if (origin == nodes_.end() && message.origin != own_.name) return;
  message.said.origin = origin == nodes_.end() ? signaling::kThisNode : origin->second.number;
  for (const MemberId& member : message.said.to) {
    Outgoing mark = message.said;
    mark.to = {member};
    if (mark.origin == node.number && local_.hub().node_of(member) == signaling::kThisNode) {
      fetch_missed(member, [this, mark] { local_.receive(mark); });
    } else {
      local_.receive(mark);
    }
  }
}

// The messages of a node are handled in the order in which it sent them, so that a message never comes before
// its sender is known.
void Rooms::handle_message(Node& node, RoomMessage message, std::size_t octets) {
  if (node.reading) {
    const bool is_full =
        node.backlog.size() >= kMaxBacklog || node.backlog_octets + octets > kMaxBacklogOctets;
    node.stale = node.stale || is_full;
    if (node.stale) return;
    node.backlog_octets += octets;
    node.backlog.push_back(std::move(message));
    return;
  }
  if (message.kind == RoomMessage::Kind::said) return local_.receive(message.said);
  if (message.kind == RoomMessage::Kind::mark) return handle_mark(node, std::move(message));
  if (message.sequence <= node.sequence) return;
  if (message.kind == RoomMessage::Kind::changes && message.sequence == node.sequence + 1) {
    node.sequence = message.sequence;
    for (const Presence& presence : message.changes) local_.update(node.number, presence);
    return;
  }
  if (own_.clock().steady < node.read_again_at) return;
  node.reading = true;
  read_members(message.node);
}

void Rooms::read_members(const std::string& name) {
  ++counters_.snapshots;
  hash_.scan(name, [this, name](const std::shared_ptr<MembersHash::Snapshot>& snapshot) {
    on_members(name, snapshot);
  });
}

// When the members could not be read, because they are missing or belong to another run, they are read again
// after a later message of the node.
void Rooms::on_members(const std::string& name, const std::shared_ptr<MembersHash::Snapshot>& snapshot) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end()) return;
  Node& node = found->second;
  node.reading = false;
  if (snapshot && snapshot->run == node.run && snapshot->sequence > node.sequence) {
    node.sequence = snapshot->sequence;
    std::vector<Presence> members;
    for (auto& [id, presence] : snapshot->members) members.push_back(std::move(presence));
    local_.replace(node.number, members);
  } else {
    node.read_again_at = own_.clock().steady + kTick;
  }
  node.backlog_octets = 0;
  for (RoomMessage& message : std::exchange(node.backlog, {})) handle_message(node, std::move(message), 0);
  if (std::exchange(node.stale, false) && !node.reading) {
    node.reading = true;
    read_members(name);
  }
  local_.deliver();
}

// --- Time

void Rooms::tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || link_.is_stopped()) return;
    if (link_.is_linked()) {
      const SteadyTime now = own_.clock().steady;
      link_.ping();
      if (link_.publisher().is_alive_due(now)) {
        link_.publisher().say_alive(RoomMessage::Kind::alive);
        hash_.keep_alive();
        check_own_members();
        if (is_unwritten_) write_all(false);
        freshness_.forget_old(own_.clock().wall);
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
  for (auto it = nodes_.begin(); it != nodes_.end();) {
    const Node& node = it->second;
    if (now - std::max(node.heard, link_.linked_since()) <= kMaxSilence) {
      ++it;
      continue;
    }
    log_.warn("cluster: node " + it->first + " is gone");
    local_.on_node_gone(node.number, own_.clock());
    it = nodes_.erase(it);
  }
  std::erase_if(formers_, [&](const Former& former) {
    if (now < former.until) return false;
    local_.on_node_gone(former.number, own_.clock());
    return true;
  });
  node_count_ = nodes_.size() + 1;
  send_waiting();
  local_.deliver();
}

}  // namespace turnpike::cluster
