// What members of this node say to members of other nodes. Each message is sent once, in order, to the node
// of its receivers. It waits while that node cannot take it, and the number of those that wait is limited.
// When the node is gone, the message goes to the present node of each receiver, or is kept in Redis.
#pragma once

#include <deque>

#include "cluster/counters.hpp"
#include "cluster/local_hub.hpp"
#include "cluster/missed_events.hpp"
#include "cluster/other_nodes.hpp"
#include "cluster/own_members.hpp"
#include "cluster/own_run.hpp"
#include "cluster/room_link.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/signaling/presence.hpp"

namespace turnpike::cluster {

// Belongs to the thread of the link.
class RoomOutbox {
 public:
  // The most messages to members of other nodes that wait while Redis is away; when there are more, the
  // oldest are dropped.
  static constexpr std::size_t kMaxWaiting = 1000;
  // Half of the octets that may wait for a client before it is closed as too slow, since all messages may be
  // for one member.
  static constexpr std::size_t kMaxWaitingOctets = 512 << 10;

  // All references must outlive this object.
  RoomOutbox(const OwnRun& own, LocalHub& local, RoomLink& link, const OwnMembers& own_members,
             const OtherNodes& others, MissedEvents& missed, Counters& counters)
      : own_(own),
        local_(local),
        link_(link),
        own_members_(own_members),
        others_(others),
        missed_(missed),
        dropped_(counters.dropped) {}

  void send(const signaling::Outgoing& message);
  bool has_waiting() const { return !waiting_.empty(); }
  // Sends those that waited. Some may wait again.
  void send_waiting();

 private:
  void add_to_waiting(const signaling::Outgoing& message);
  void redirect(const signaling::Outgoing& message);

  const OwnRun& own_;
  LocalHub& local_;
  RoomLink& link_;
  const OwnMembers& own_members_;
  const OtherNodes& others_;
  MissedEvents& missed_;
  Counter& dropped_;
  std::deque<signaling::Outgoing> waiting_;
  std::size_t waiting_octets_ = 0;
};

}  // namespace turnpike::cluster
