// The hub as other nodes of a cluster see it: what they have to know of the members of this node, and what
// they tell of theirs. Each member belongs to one node; see Presence. It moves when its client comes back to
// another node: that node says so with a higher version, and the former node then sends to the new one what
// the member has missed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "turnpike/base/time.hpp"
#include "turnpike/signaling/member_id.hpp"
#include "turnpike/signaling/membership.hpp"
#include "turnpike/signaling/presence.hpp"

namespace turnpike::signaling {

class HubCluster {
 public:
  // An event is forwarded at most this often. Each node that forwards it knows of a later move than the node
  // before it, so it does not go in a circle.
  static constexpr std::uint32_t kMaxForwards = 8;

  using Output = HubOutput;

  // `membership` must outlive this object.
  explicit HubCluster(Membership& membership) : membership_(membership) {}

  // --- What the other nodes have to know. Without a cluster, the first three functions return nothing.

  // Returns the members of this node that have changed since the last call, in the order of their changes. A
  // Presence without rooms says that the member no longer belongs to this node: it has left, or it has moved
  // to another node.
  std::vector<Presence> take_changes();
  // Returns what members have sent since the last call to members of other nodes, in order.
  std::vector<Outgoing> take_outgoing();
  // Returns the members of other nodes that have come back to this node since the last call.
  std::vector<MemberId> take_arrived();
  // Returns what other nodes have to know about all members of this node.
  std::vector<Presence> presences() const;
  // Returns one of them; nothing when no member of this node has the id, or when it is in no room.
  std::optional<Presence> presence(MemberId id) const;
  // The number of elements that presences() returns.
  std::size_t count_presences() const;

  // --- What other nodes tell. Call these only in a cluster.

  // Applies what another node reports about one of its members. A member of this node that has moved to that
  // node then belongs to that node; take_outgoing() then has what the member has missed.
  void update(NodeNumber node, const Presence& presence, Output& out);
  // Replaces all that is known about the members of `node`.
  void replace(NodeNumber node, const std::vector<Presence>& presences, Output& out);
  // Records that the node is absent. The other members are told that its members were cut off. These may come
  // back to any node within Membership::kRecovery.
  void on_node_gone(NodeNumber node, TimePoint now, Output& out);
  // Delivers what another node has sent. When the receiver has moved on meanwhile, an event is forwarded, at
  // most kMaxForwards times, and a mark once: what the first of three nodes still has then comes in any
  // order.
  void receive(const Outgoing& message, Output& out);
  // Forgets a member whose node has ended, because it has missed more than can be kept. It cannot come back.
  void give_up(MemberId id, Output& out);

  // --- Questions

  // The node that a member belongs to; nothing when the member is unknown.
  std::optional<NodeNumber> node_of(MemberId id) const;
  // Whether members of this node share a room with the member. In that case this node has to send a mark (see
  // Outgoing) when the member moves from one other node to another.
  bool has_company_here(MemberId id) const;

 private:
  HubMember& take_over(HubMember* known, NodeNumber node, const Presence& presence, Output& out);
  void hand_over(HubMember& member, std::uint64_t version, Output& out);
  void leave_all_but(HubMember& member, const std::vector<std::string>& rooms, Output& out);
  void join_all_of(HubMember& member, const std::vector<std::string>& rooms, Output& out);
  void receive(HubMember& member, const Outgoing& message, Output& out);
  void receive_mark(HubMember& member, const Outgoing& mark, Output& out);

  Membership& membership_;
};

}  // namespace turnpike::signaling
