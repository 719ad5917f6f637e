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
             .unlinked = [this] { own_members_.give_up_writing(); },
             .message = [this](std::string_view channel,
                               std::string_view payload) { on_message(channel, payload); }}),
      hash_(own_, seal_, link_.commands(), log_),
      missed_(own_, seal_, link_, log_, local_, counters_),
      own_members_(own_, local_.hub(), hash_, link_, missed_, [this] { send_waiting(); }),
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
    own_members_.write_all(true);
  }
}

// A node that was restarted reads from Redis who its members were, so that they can come back to it.
void Rooms::read_former_run() {
  own_members_.hold();
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
    own_members_.write_held();
  });
}

// --- Messages to other nodes

void Rooms::send_to_nodes() {
  if (link_.is_stopped()) return;
  own_members_.write_changes(local_.take_changes());
  for (const Outgoing& message : local_.take_outgoing()) send(message);
  for (const MemberId& member : local_.take_arrived()) missed_.fetch(member);
}

const std::string* Rooms::name_of(signaling::NodeNumber number) const {
  const auto found =
      std::ranges::find_if(nodes_, [&](const auto& entry) { return entry.second.number == number; });
  return found == nodes_.end() ? nullptr : &found->first;
}

void Rooms::send(const Outgoing& message) {
  const std::string* name = name_of(message.node);
  const bool must_wait = !link_.is_linked() || own_members_.is_writing() ||
                         (name && nodes_.at(*name).heard < link_.linked_since());
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
      missed_.keep(member, message.event);
    } else if (is_here) {
      missed_.fetch(member, [this, one] { local_.receive(one); });
    }
  }
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
      missed_.fetch(member, [this, mark] { local_.receive(mark); });
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
        own_members_.look_after();
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
