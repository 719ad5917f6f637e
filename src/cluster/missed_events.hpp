// What was said to members whose node has ended. It is kept in Redis for some time, for the node to which
// such a member comes back; see rooms.hpp. Each event is fetched once, and not when it is older than a member
// can be away. A member for whom this would be too much cannot come back.
#pragma once

#include <functional>
#include <memory>

#include "cluster/cluster_log.hpp"
#include "cluster/counters.hpp"
#include "cluster/local_hub.hpp"
#include "cluster/own_run.hpp"
#include "cluster/room_link.hpp"
#include "cluster/seal.hpp"
#include "turnpike/signaling/presence.hpp"

namespace turnpike::cluster {

// Belongs to the thread of the link.
class MissedEvents {
 public:
  // The limits of what is kept for a member whose node has ended. They are the same as for one that is cut
  // off; see signaling::Limits.
  static constexpr std::size_t kMaxMissed = 256;
  static constexpr std::size_t kMaxMissedOctets = 256 << 10;

  // All references must outlive this object.
  MissedEvents(const OwnRun& own, Seal& seal, RoomLink& link, ClusterLog& log, LocalHub& local,
               Counters& counters)
      : own_(own), seal_(seal), link_(link), log_(log), local_(local), counters_(counters) {}

  // Keeps an event for a member that may come back to another node.
  void keep(const signaling::MemberId& member, const std::shared_ptr<const signaling::Event>& event);
  // Gives the hub what was kept for the member, and deletes it in Redis. Then calls `then`, also when nothing
  // could be fetched.
  void fetch(const signaling::MemberId& member, std::function<void()> then = {});

 private:
  const OwnRun& own_;
  Seal& seal_;
  RoomLink& link_;
  ClusterLog& log_;
  LocalHub& local_;
  Counters& counters_;
};

}  // namespace turnpike::cluster
