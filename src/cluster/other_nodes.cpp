#include "cluster/other_nodes.hpp"

#include <algorithm>
#include <utility>

#include "cluster/params.hpp"

namespace turnpike::cluster {
namespace {

using signaling::MemberId;
using signaling::Outgoing;
using signaling::Presence;
using Warning = ClusterLog::Warning;

constexpr std::size_t kMaxRunsAtOnce = 100;    // former runs of nodes
constexpr std::chrono::seconds kReadAgain{1};  // after a hash that could not be read

}  // namespace

const std::string* OtherNodes::name_of(signaling::NodeNumber number) const {
  const auto found =
      std::ranges::find_if(nodes_, [&](const auto& entry) { return entry.second.number == number; });
  return found == nodes_.end() ? nullptr : &found->first;
}

bool OtherNodes::was_heard_since(const std::string& name, SteadyTime since) const {
  return nodes_.at(name).heard >= since;
}

bool OtherNodes::accept(const RoomMessage& message) {
  if (!nodes_.contains(message.node) && nodes_.size() >= kMaxNodes) {
    return log_.refuse(Warning::ignored, "the cluster has more than " + std::to_string(kMaxNodes + 1) +
                                             " nodes: messages of node " + message.node + " are ignored");
  }
  switch (freshness_.accept(message.node, message.run, message.number, own_.clock().wall)) {
    case Freshness::Verdict::fresh: return true;
    case Freshness::Verdict::repeated:
      return log_.ignore("an old message of node " + message.node + " was sent again");
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

bool OtherNodes::hear(const RoomMessage& message, SteadyTime now, SteadyTime since) {
  Node& node = find_or_add_node(message);
  const bool is_first_word = node.heard < since;
  node.heard = now;
  return is_first_word;
}

// Returns the node that the message is from. It is a new node when the name is new, or belonged to another
// run.
OtherNodes::Node& OtherNodes::find_or_add_node(const RoomMessage& message) {
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

void OtherNodes::handle(RoomMessage message, std::size_t octets) {
  Node& node = nodes_.at(message.node);
  handle_message(node, std::move(message), octets);
}

// The messages of a node are handled in the order in which it sent them, so that a message never comes before
// its sender is known.
void OtherNodes::handle_message(Node& node, RoomMessage message, std::size_t octets) {
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

// A mark that comes directly from its origin could not be sent by way of the member's former node. The
// messages before it could not either, and were kept in Redis, so they are fetched first.
void OtherNodes::handle_mark(const Node& node, RoomMessage message) {
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

void OtherNodes::read_members(const std::string& name) {
  ++snapshots_;
  hash_.scan(name, [this, name](const std::shared_ptr<MembersHash::Snapshot>& snapshot) {
    on_members(name, snapshot);
  });
}

// When the members could not be read, because they are missing or belong to another run, they are read again
// after a later message of the node.
void OtherNodes::on_members(const std::string& name, const std::shared_ptr<MembersHash::Snapshot>& snapshot) {
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
    node.read_again_at = own_.clock().steady + kReadAgain;
  }
  node.backlog_octets = 0;
  for (RoomMessage& message : std::exchange(node.backlog, {})) handle_message(node, std::move(message), 0);
  if (std::exchange(node.stale, false) && !node.reading) {
    node.reading = true;
    read_members(name);
  }
  local_.deliver();
}

void OtherNodes::read_former_run(std::function<void()> then) {
  has_read_former_run_ = true;
  hash_.scan(own_.name, [this, then = std::move(then)](const std::shared_ptr<MembersHash::Snapshot>& former) {
    if (!former && !hash_.is_in_reach()) {
      has_read_former_run_ = false;  // nor may it be written over
      return;
    }
    if (former && former->run != own_.run) {
      const signaling::NodeNumber number = ++last_number_;
      formers_.push_back({number, own_.clock().steady + kMaxSilence});
      for (const auto& [id, presence] : former->members) local_.update(number, presence);
      local_.deliver();
    }
    then();
  });
}

void OtherNodes::drop_silent(SteadyTime now, SteadyTime linked_since) {
  for (auto it = nodes_.begin(); it != nodes_.end();) {
    const Node& node = it->second;
    if (now - std::max(node.heard, linked_since) <= kMaxSilence) {
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
}

}  // namespace turnpike::cluster
