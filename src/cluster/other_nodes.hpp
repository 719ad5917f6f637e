// What is known of the other nodes, and who their members are. The hub of this node gets the members.
//
// The messages of a node are accepted only once (see Freshness), and are handled in the order in which the
// node sent them. Its changes have numbers. When a number is missing, as it is after the first message, the
// hash of the node is read, and its messages wait until that is done. So the hub never has a part of the
// members for all of them, and never a message before its sender.
//
// A node counts as gone when nothing was received from it for kMaxSilence. Each run of a node has a number of
// its own in the hub. The members of a run that has ended can come back for the same time.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster_log.hpp"
#include "cluster/freshness.hpp"
#include "cluster/local_hub.hpp"
#include "cluster/members_hash.hpp"
#include "cluster/missed_events.hpp"
#include "cluster/own_run.hpp"
#include "cluster/room_message.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/presence.hpp"

namespace turnpike::cluster {

// Belongs to one thread; any thread may read count().
class OtherNodes {
 public:
  static constexpr Duration kMaxSilence = std::chrono::seconds(10);
  static constexpr std::size_t kMaxBacklog = 1000;  // messages of a node whose hash is being read
  static constexpr std::size_t kMaxBacklogOctets = 4 << 20;

  // Counts in `snapshots` how often a hash is read. All references must outlive this object.
  OtherNodes(const OwnRun& own, LocalHub& local, MembersHash& hash, MissedEvents& missed, ClusterLog& log,
             Counter& snapshots)
      : own_(own), local_(local), hash_(hash), missed_(missed), log_(log), snapshots_(snapshots) {}

  // The number of nodes that are present, including this one.
  const Counter& count() const { return node_count_; }
  // The name of a node that is present; null when it is no other node.
  const std::string* name_of(signaling::NodeNumber number) const;
  // Whether anything was received from this node, which is present, at that time or later.
  bool was_heard_since(const std::string& name, SteadyTime since) const;

  // A message of another node is taken in three steps, one after the other.
  // Stores the number of a fresh message. Returns false for another one, counts it and warns.
  bool accept(const RoomMessage& message);
  // The node is present now. Returns whether this is its first word since that time.
  bool hear(const RoomMessage& message, SteadyTime now, SteadyTime since);
  // Gives the hub what the message says, or lets the message wait. `octets` is the length of its text.
  void handle(RoomMessage message, std::size_t octets);

  // A node that was restarted reads from Redis who its members were, so that they can come back to it. Calls
  // `then` after that, but not when Redis cannot be reached; it is not read then.
  void read_former_run(std::function<void()> then);
  bool has_read_former_run() const { return has_read_former_run_; }

  // A node is not silent before this node has been linked for kMaxSilence.
  void drop_silent(SteadyTime now, SteadyTime linked_since);
  void forget_old_numbers(WallTime now) { freshness_.forget_old(now); }

 private:
  struct Node {
    signaling::NodeNumber number = 0;
    std::string run;
    std::uint64_t sequence = 0;
    SteadyTime heard{};
    bool reading = false;  // its hash
    SteadyTime read_again_at{};
    bool stale = false;  // the hash has to be read again after that
    std::deque<RoomMessage> backlog;
    std::size_t backlog_octets = 0;
  };
  // A run that has ended; its members can come back for some time.
  struct Former {
    signaling::NodeNumber number = 0;
    SteadyTime until{};
  };

  Node& find_or_add_node(const RoomMessage& message);
  void handle_message(Node& node, RoomMessage message, std::size_t octets);
  void handle_mark(const Node& node, RoomMessage message);
  void read_members(const std::string& name);
  void on_members(const std::string& name, const std::shared_ptr<MembersHash::Snapshot>& snapshot);

  const OwnRun& own_;
  LocalHub& local_;
  MembersHash& hash_;
  MissedEvents& missed_;
  ClusterLog& log_;
  Counter& snapshots_;
  std::map<std::string, Node> nodes_;  // the others
  std::vector<Former> formers_;
  signaling::NodeNumber last_number_ = signaling::kThisNode;
  Freshness freshness_;
  bool has_read_former_run_ = false;
  Counter node_count_{1};
};

}  // namespace turnpike::cluster
