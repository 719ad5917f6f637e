// What has to be told to other nodes: how the members of this node have changed, and what is said to members
// of those nodes. Also which members have come here from other nodes. All of it is collected in order, until
// it is taken.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "turnpike/base/time.hpp"
#include "turnpike/signaling/hub_member.hpp"
#include "turnpike/signaling/member_id.hpp"
#include "turnpike/signaling/presence.hpp"

namespace turnpike::signaling {

// The member as other nodes know it.
Presence presence_of(const HubMember& member);

class NodeNews {
 public:
  // `tag` makes the low 16 bits of versions; see Presence.
  explicit NodeNews(std::uint16_t tag) : tag_(tag) {}

  // A member of this node has changed. Its version grows. A later change of the same member replaces the last
  // one in the list.
  void note_change(HubMember& member);
  // A member has come back to this node. It may have been at another node of which this one has not heard
  // yet, and the node that it came to last keeps it; so its next version has at least this time.
  static void raise_version(HubMember& member, WallTime now);
  // A member has moved to another node, with this version. What this node has told of it is over; what the
  // other node tells with this version stays valid.
  void note_moved(const HubMember& member, std::uint64_t version);
  // A member of another node has come back to this one.
  void note_arrival(MemberId id) { arrived_.push_back(id); }

  // Collects an event for a member of another node. Each node itself tells its members who joins and leaves,
  // so only messages are sent. A message to a room goes to each node once.
  void send(const HubMember& member, const EventPtr& event, std::uint32_t forwarded);
  // Collects a mark; see Outgoing.
  void send_mark(Outgoing mark) { outgoing_.push_back(std::move(mark)); }

  std::vector<Presence> take_changes() { return std::exchange(changes_, {}); }
  std::vector<Outgoing> take_outgoing() { return std::exchange(outgoing_, {}); }
  std::vector<MemberId> take_arrived() { return std::exchange(arrived_, {}); }

 private:
  std::uint16_t tag_;
  std::vector<Presence> changes_;
  std::vector<Outgoing> outgoing_;
  std::vector<MemberId> arrived_;
};

}  // namespace turnpike::signaling
