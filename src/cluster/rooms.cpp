#include "cluster/rooms.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "turnpike/base/bytes.hpp"

namespace turnpike::cluster {
namespace {

using Command = RedisConnection::Command;
using signaling::MemberId;
using signaling::Outgoing;
using signaling::Presence;

constexpr std::chrono::seconds kTick{1};
constexpr std::size_t kPairsAtOnce = 100;    // members in one command
constexpr std::size_t kMaxRunsAtOnce = 100;  // of former ones
constexpr std::string_view kState = "state";
const std::string kMembersLive = "30000";  // ms, after their node was last there
const std::string kMissedLive = "120";     // s: as long as the member may come back
const std::string kMaxMissed = "-256";     // the last ones

// "RUN:12"
std::string state_text(std::string_view run, std::uint64_t sequence) {
  return std::string(run).append(":").append(std::to_string(sequence));
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
    : prefix_(params.prefix + ":"),
      rooms_channel_(prefix_ + "rooms"),
      own_name_(params.node),
      run_(std::move(run)),
      hub_(hub),
      hooks_(std::move(hooks)),
      seal_(params.secrets),
      commands_(io, params.redis, command_handlers()),
      listener_(io, params.redis, listener_handlers()),
      timer_(io) {}

void Rooms::start() {
  commands_.start();
  listener_.start();
  tick();
}

void Rooms::stop() {
  stopped_ = true;
  timer_.cancel();
  commands_.stop();
  listener_.stop();
}

// --- Connections

RedisConnection::Handlers Rooms::command_handlers() {
  return {.up = [this] { on_linked(); },
          .down = [this](const std::string& why) { on_lost(why); },
          .refused =
              [this](std::string_view error) {
                if (!may_warn(Warning::command)) return;
                hooks_.warn("cluster: Redis refuses a command: " + std::string(error));
              },
          .message = [](std::string_view, std::string_view) {}};
}

RedisConnection::Handlers Rooms::listener_handlers() {
  RedisConnection::Handlers handlers = command_handlers();
  handlers.up = [this] {
    listener_.send({"SUBSCRIBE", rooms_channel_});
    listener_.send({"SUBSCRIBE", channel_of(own_name_)}, [this](const redisReply* reply) {
      if (!reply || reply->type == REDIS_REPLY_ERROR) return;
      is_listening_ = true;
      on_linked();
    });
  };
  handlers.down = [this](const std::string& why) {
    is_listening_ = false;
    on_lost(why);
  };
  handlers.message = [this](std::string_view channel, std::string_view payload) {
    on_message(channel, payload);
  };
  return handlers;
}

void Rooms::on_lost(const std::string& why) {
  if (std::exchange(linked_, false)) {
    ++counters_.disconnected;
    is_connected_ = 0;
    hooks_.warn("cluster: Redis is away (" + why + "): rooms go on among the members of this node");
  } else if (may_warn(Warning::unreachable)) {
    hooks_.warn("cluster: Redis cannot be reached: " + why);
  }
}

void Rooms::on_linked() {
  if (linked_ || stopped_ || !is_listening_ || !commands_.is_up()) return;
  linked_ = true;
  is_connected_ = 1;
  linked_since_ = own_word_heard_ = hooks_.clock().steady;
  hooks_.info("cluster: Redis is there, and this is node " + own_name_);
  if (!std::exchange(has_read_former_run_, true)) {
    read_former_run();
  } else {
    write_all();
    // While this node did not listen, others may have taken it for gone.
    for (const Presence& member : hub_.presences()) fetch_missed(member.id);
  }
}

// A node that was started anew knows from Redis who its members were, so that they may come back to it.
void Rooms::read_former_run() {
  commands_.send({"HGETALL", members_key(own_name_)}, [this](const redisReply* reply) {
    if (const auto former = parse_members(own_name_, reply); former && former->run != run_) {
      const signaling::NodeNumber number = ++last_number_;
      formers_.push_back({number, hooks_.clock().steady + kMaxSilence});
      hub_.replace(number, former->members, out_);
      deliver();
    }
    write_all();
  });
}

// --- What this node tells the others

void Rooms::publish(const std::string& channel, RoomMessage message, RedisConnection::Answer answer) {
  message.node = own_name_;
  message.run = run_;
  message.sequence = sequence_;
  ++counters_.sent;
  commands_.send({"PUBLISH", channel, seal_.seal(channel, to_json(message))}, std::move(answer));
}

void Rooms::say_alive(RoomMessage::Kind kind) {
  next_word_ = hooks_.clock().steady + kInterval;
  publish(rooms_channel_, {.kind = kind, .node = {}, .run = {}});
}

std::vector<Command> Rooms::member_commands(const std::vector<Presence>& presences) {
  const std::string key = members_key(own_name_);
  std::vector<Command> commands;
  Command gone{"HDEL", key};
  Command set{"HSET", key};
  const auto flush = [&commands](Command& command) {
    if (command.size() == 2) return;
    commands.push_back(command);
    command.resize(2);
  };
  std::map<MemberId, const Presence*> latest;  // of each member
  for (const Presence& presence : presences) latest[presence.id] = &presence;
  for (const auto& [id, presence] : latest) {
    const std::string field = id.to_string();
    if (presence->rooms.empty()) {
      gone.push_back(field);
    } else {
      set.push_back(field);
      set.push_back(seal_.seal(key + field, to_json(*presence)));
    }
    if (set.size() >= 2 * kPairsAtOnce) flush(set);
  }
  flush(set);
  flush(gone);
  commands.push_back({"HSET", key, std::string(kState), seal_.seal(key, state_text(run_, sequence_))});
  commands.push_back({"PEXPIRE", key, kMembersLive});
  return commands;
}

// The others find a number missing, and read it.
void Rooms::write_all() {
  if (!linked_) return;
  ++sequence_;
  std::vector<Command> commands = member_commands(hub_.presences());
  commands.insert(commands.begin(), {"DEL", members_key(own_name_)});
  commands_.send_together(commands);
  say_alive(RoomMessage::Kind::hello);
}

void Rooms::write_changes(std::vector<Presence> changes) {
  if (!linked_ || changes.empty()) return;  // write_all() will have them
  ++sequence_;
  std::vector<Command> commands = member_commands(changes);
  RoomMessage message{.kind = RoomMessage::Kind::changes,
                      .node = own_name_,
                      .run = run_,
                      .sequence = sequence_,
                      .changes = std::move(changes)};
  commands.push_back({"PUBLISH", rooms_channel_, seal_.seal(rooms_channel_, to_json(message))});
  ++counters_.sent;
  commands_.send_together(commands);
}

void Rooms::carry() {
  if (stopped_) return;
  write_changes(hub_.take_changes());
  for (const Outgoing& message : hub_.take_outgoing()) send(message);
  for (const MemberId& member : hub_.take_arrived()) fetch_missed(member);
}

const std::string* Rooms::name_of(signaling::NodeNumber number) const {
  const auto found =
      std::ranges::find_if(nodes_, [&](const auto& entry) { return entry.second.number == number; });
  return found == nodes_.end() ? nullptr : &found->first;
}

void Rooms::send(const Outgoing& message) {
  const std::string* name = name_of(message.node);
  if (!linked_ || (name && nodes_.at(*name).heard < linked_since_)) return wait_with(message);
  if (!name) return keep(message);
  publish(channel_of(*name), {.kind = RoomMessage::Kind::said, .node = {}, .run = {}, .said = message},
          [this, message](const redisReply* reply) {
            if (!reply) {
              ++counters_.dropped;
            } else if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) {
              keep(message);  // nobody hears there any more
            }
          });
}

// Until Redis is back, and the node that it is for has said that it is back there too, or is gone.
void Rooms::wait_with(const Outgoing& message) {
  waiting_.push_back(message);
  if (waiting_.size() <= kMaxWaiting) return;
  waiting_.pop_front();
  ++counters_.dropped;
}

void Rooms::send_waiting() {
  for (const Outgoing& message : std::exchange(waiting_, {})) send(message);
}

// For members that may come back to another node.
void Rooms::keep(const Outgoing& message) {
  std::vector<MemberId> members{message.to};
  if (message.to == MemberId()) members = hub_.members_of(message.node, message.event->room);
  for (const MemberId& member : members) {
    const std::string key = prefix_ + "missed:" + member.to_string();
    ++counters_.kept;
    commands_.send_together({{"RPUSH", key, seal_.seal(key, to_json(*message.event))},
                             {"LTRIM", key, kMaxMissed, "-1"},
                             {"EXPIRE", key, kMissedLive}});
  }
}

void Rooms::fetch_missed(const MemberId& member) {
  const std::string key = prefix_ + "missed:" + member.to_string();
  commands_.send_together({{"LRANGE", key, "0", "-1"}, {"DEL", key}}, [this, key,
                                                                       member](const redisReply* reply) {
    const bool is_list = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                         reply->element[0]->type == REDIS_REPLY_ARRAY;
    if (!is_list) return;
    const redisReply& list = *reply->element[0];
    for (std::size_t i = 0; i < list.elements; ++i) {
      const auto sealed = text_of(list.element[i]);
      const auto text = sealed ? seal_.open(key, *sealed) : std::nullopt;
      const auto event = text ? parse_event(*text) : std::nullopt;
      if (!event) {
        refuse(key);
        continue;
      }
      hub_.receive(
          {.to = member, .event = std::make_shared<const signaling::Event>(*event), .forwarded = true}, out_);
    }
    deliver();
  });
}

// --- What the others tell this node

void Rooms::on_message(std::string_view channel, std::string_view payload) {
  const auto text = seal_.open(channel, payload);
  std::optional<RoomMessage> message = text ? parse_room_message(*text) : std::nullopt;
  if (!message) return refuse(channel);
  ++counters_.received;
  const SteadyTime now = hooks_.clock().steady;
  if (message->node == own_name_) {
    if (message->run == run_) own_word_heard_ = now;
    return;
  }
  if (!nodes_.contains(message->node) && nodes_.size() >= kMaxNodes) return refuse("one node too many");
  Node& node = node_of(*message);
  const bool is_first_word = node.heard < linked_since_;
  node.heard = now;
  // A node that has not listened knows by this what it has missed, before it hears what was said meanwhile.
  const bool was_away = message->kind == RoomMessage::Kind::hello || (is_first_word && !waiting_.empty());
  if (was_away) say_alive(RoomMessage::Kind::alive);
  send_waiting();
  on_news(node, std::move(*message));
  deliver();
}

// The one that the message is from: a new one where the name is new, or was that of a former run.
Rooms::Node& Rooms::node_of(const RoomMessage& message) {
  Node& node = nodes_[message.node];
  if (node.run == message.run) return node;
  if (node.number == signaling::kThisNode) {
    hooks_.info("cluster: node " + message.node + " is there");
  } else {
    hooks_.info("cluster: node " + message.node + " was started anew");
    formers_.push_back({node.number, node.heard + kMaxSilence});
    if (formers_.size() > kMaxRunsAtOnce) formers_.front().until = {};
  }
  node = {};
  node.number = ++last_number_;
  node.run = message.run;
  node_count_ = nodes_.size() + 1;
  return node;
}

// In the order in which the node wrote it, so that nobody hears of a member that it does not know yet.
void Rooms::on_news(Node& node, RoomMessage message) {
  if (node.reading) {
    node.stale = node.stale || node.backlog.size() >= kMaxBacklog;
    if (!node.stale) node.backlog.push_back(std::move(message));
    return;
  }
  if (message.kind == RoomMessage::Kind::said) return hub_.receive(message.said, out_);
  if (message.sequence <= node.sequence) return;
  if (message.kind == RoomMessage::Kind::changes && message.sequence == node.sequence + 1) {
    node.sequence = message.sequence;
    for (const Presence& presence : message.changes) hub_.update(node.number, presence, out_);
    return;
  }
  node.reading = true;
  read_members(message.node);
}

void Rooms::read_members(const std::string& name) {
  ++counters_.snapshots;
  commands_.send({"HGETALL", members_key(name)},
                 [this, name](const redisReply* reply) { on_members(name, reply); });
}

// What could not be read, since it has gone or is of another run, is read at the node's next word.
void Rooms::on_members(const std::string& name, const redisReply* reply) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end()) return;
  Node& node = found->second;
  node.reading = false;
  if (const auto snapshot = parse_members(name, reply); snapshot && snapshot->run == node.run) {
    node.sequence = snapshot->sequence;
    hub_.replace(node.number, snapshot->members, out_);
  }
  for (RoomMessage& message : std::exchange(node.backlog, {})) on_news(node, std::move(message));
  if (std::exchange(node.stale, false) && !node.reading) {
    node.reading = true;
    read_members(name);
  }
  deliver();
}

std::optional<Rooms::Snapshot> Rooms::parse_members(const std::string& name, const redisReply* reply) {
  if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) return std::nullopt;
  const std::string key = members_key(name);
  Snapshot snapshot;
  for (std::size_t i = 0; i + 1 < reply->elements; i += 2) {
    const std::string field(text_of(reply->element[i]).value_or(""));
    const std::string_view sealed = text_of(reply->element[i + 1]).value_or("");
    const bool is_state = field == kState;
    const auto text = seal_.open(is_state ? key : key + field, sealed);
    if (is_state && text) {
      const std::size_t colon = text->find(':');
      if (colon == std::string_view::npos) continue;
      snapshot.run = text->substr(0, colon);
      std::from_chars(text->data() + colon + 1, text->data() + text->size(), snapshot.sequence);
      continue;
    }
    std::optional<Presence> presence = text ? parse_presence(*text) : std::nullopt;
    if (presence && presence->id.to_string() == field) {
      snapshot.members.push_back(std::move(*presence));
    } else {
      refuse(key);
    }
  }
  if (snapshot.run.empty()) return std::nullopt;
  return snapshot;
}

void Rooms::refuse(std::string_view what) {
  ++counters_.refused;
  if (!may_warn(Warning::unsigned_text)) return;
  hooks_.warn("cluster: what stands at " + std::string(what) +
              " in Redis is not signed with our secret, or makes no sense: it is ignored");
}

bool Rooms::may_warn(Warning kind) {
  SteadyTime& next = next_warning_[static_cast<std::size_t>(kind)];
  const SteadyTime now = hooks_.clock().steady;
  if (now < next) return false;
  next = now + kBetweenWarnings;
  return true;
}

// --- Time

void Rooms::tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    if (linked_) {
      const SteadyTime now = hooks_.clock().steady;
      listener_.send({"PING"});  // whoever does not answer is away
      if (now >= next_word_) {
        say_alive(RoomMessage::Kind::alive);
        // Redis may have lost everything.
        commands_.send({"PEXPIRE", members_key(own_name_), kMembersLive}, [this](const redisReply* reply) {
          if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) write_all();
        });
      }
      look_for_silent(now);
    }
    tick();
  });
}

void Rooms::look_for_silent(SteadyTime now) {
  if (now - own_word_heard_ > 2 * kInterval) return;
  for (auto it = nodes_.begin(); it != nodes_.end();) {
    const Node& node = it->second;
    if (now - std::max(node.heard, linked_since_) <= kMaxSilence) {
      ++it;
      continue;
    }
    hooks_.warn("cluster: node " + it->first + " is gone");
    hub_.lose(node.number, hooks_.clock(), out_);
    it = nodes_.erase(it);
  }
  std::erase_if(formers_, [&](const Former& former) {
    if (now < former.until) return false;
    hub_.lose(former.number, hooks_.clock(), out_);
    return true;
  });
  node_count_ = nodes_.size() + 1;
  send_waiting();
  deliver();
}

void Rooms::deliver() { hooks_.deliver(std::exchange(out_, {})); }

}  // namespace turnpike::cluster
