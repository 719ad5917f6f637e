// Connects the hub of this node with the hubs of the other nodes, through Redis.
//
// Each node knows all members of all rooms, so that a new member gets its answer at once. In Redis there are,
// after the prefix and signed (see Seal):
//   rooms                a channel to which all nodes subscribe: the present nodes, and changes of members
//   rooms:NODE           a channel to which one node subscribes: what was sent to its members
//   members:NODE         a hash: each member of the node by its id, signed for its run; under `state` the run
//                        and how many changes it has written, which is written before each change is
//                        published; under `whole` the run and that number at the time when all members were
//                        last written. When `whole` is missing, Redis has lost data, so the hash is not
//                        complete. The hash is deleted half a minute after the node has ended
//   missed:MEMBER        a list: what was sent to a member whose node has ended, for two minutes; and under
//                        missed:MEMBER:octets, its length. A member for whom this would be too much cannot
//                        come back, as on one node
//
// Everybody who can write to Redis can write an earlier message again. Therefore a message is accepted only
// once (see Freshness), only members of the present run are used, a hash that is older than later messages is
// ignored, and an event that was kept for longer than a member can be away is not delivered.
//
// When two servers are configured with the same node name, the one that was started later is the node. The
// other one works as if Redis were away, and writes this to the log.
//
// Each message is sent once. A message that is on its way to a node when the node dies is lost. Later
// messages to its members are kept for them, or are sent to their new nodes. The same holds for messages that
// have waited for Redis.
//
// When a node finds that a number is missing in the changes of another node, it reads the hash of that node,
// as it does after the first message. A node counts as gone when nothing was received from it for
// OtherNodes::kMaxSilence, unless this node receives nothing from any node. A node is linked only while it
// hears what it says itself; see Echo.
//
// Parts of their own do most of this. RoomLink has the connections to Redis, and the RoomPublisher that
// numbers what this node says. OwnMembers writes the members of this node, and OtherNodes reads those of the
// others; MembersHash is the form of both. RoomOutbox sends what members say, and MissedEvents keeps what
// cannot be sent. Rooms decides in which order the parts act when something arrives or changes, and every
// second.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "cluster/cluster_log.hpp"
#include "cluster/counters.hpp"
#include "cluster/local_hub.hpp"
#include "cluster/members_hash.hpp"
#include "cluster/missed_events.hpp"
#include "cluster/other_nodes.hpp"
#include "cluster/own_members.hpp"
#include "cluster/own_run.hpp"
#include "cluster/params.hpp"
#include "cluster/room_link.hpp"
#include "cluster/room_outbox.hpp"
#include "cluster/seal.hpp"
#include "net/asio_types.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/hub_cluster.hpp"

namespace turnpike::cluster {

// The parameters of the hub of this node. The tag is computed from `run`.
signaling::ClusterParams hub_params(const Params& params, std::string_view run);

// Belongs to the thread of its io_context.
class Rooms {
 public:
  struct Hooks {
    std::function<TimePoint()> clock;
    // Delivers events to members of this node. The list of rooms may have changed too. Must call
    // send_to_nodes().
    std::function<void(const signaling::HubOutput&)> deliver;
    std::function<void(const std::string&)> info;  // a line for the log
    std::function<void(const std::string&)> warn;
  };

  // `run` names this start of the node; see name_run(). The hub must outlive this object and must have
  // hub_params().
  Rooms(boost::asio::io_context& io, const Params& params, std::string run, signaling::HubCluster& hub,
        Hooks hooks);

  void start();
  // Ends the work of this object in the io_context. The other nodes then treat this node as absent, so its
  // members may come back to them.
  void stop();

  // Sends what the other nodes have to know about the hub. Call it after every call that may have changed the
  // hub.
  void send_to_nodes();

  const Counters& counters() const { return counters_; }
  // The number of nodes that are present, including this one. Any thread may read these two.
  const Counter& nodes() const { return others_.count(); }
  // 1 when messages of other nodes can be received, otherwise 0
  const Counter& connected() const { return link_.connected(); }

 private:
  void on_linked();
  void on_message(std::string_view channel, std::string_view payload);
  void tick();
  void drop_silent_nodes(SteadyTime now);

  Counters counters_;
  const OwnRun own_;
  ClusterLog log_;
  LocalHub local_;
  Seal seal_;
  RoomLink link_;
  MembersHash hash_;
  MissedEvents missed_;
  OwnMembers own_members_;
  OtherNodes others_;
  RoomOutbox outbox_;
  net::Timer timer_;
};

}  // namespace turnpike::cluster
