// The members of all rooms, and the ways by which an event reaches one of them: by its connection here, kept
// until it comes back, held until what was sent to it earlier has arrived, or given to the node that it
// belongs to. Hub changes this for the clients of this node, and HubCluster changes it because of what other
// nodes tell.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/signaling/event.hpp"
#include "turnpike/signaling/hub_member.hpp"
#include "turnpike/signaling/hub_rooms.hpp"
#include "turnpike/signaling/member_id.hpp"
#include "turnpike/signaling/node_news.hpp"
#include "turnpike/signaling/params.hpp"

namespace turnpike::signaling {

struct Delivery {
  ConnectionId to = 0;
  EventPtr event;
};

struct HubOutput {
  std::vector<Delivery> deliveries;
  std::vector<ConnectionId> replaced;  // of members that have come back on another node
  void clear() {
    deliveries.clear();
    replaced.clear();
  }
};

class Membership {
 public:
  static constexpr Duration kGraceTime = std::chrono::seconds(3);
  static constexpr Duration kRecovery = std::chrono::minutes(2);
  // A member that has come from another node gets messages in the order in which they were sent, as far as
  // they arrive within this time.
  static constexpr Duration kSettling = std::chrono::seconds(2);
  // At most this many events are held for one member. When there are more, all are delivered, and their order
  // is lost.
  static constexpr std::size_t kMaxHeld = 256;
  static constexpr std::size_t kMaxHeldBytes = 256 << 10;  // the limit of their size, with the same effect

  using Members = std::unordered_map<MemberId, HubMember, MemberIdHash>;
  using Output = HubOutput;

  Membership(const Limits& limits, crypto::Random& random)
      : limits_(limits), rooms_(limits.rooms_per_address, random) {}

  // Rooms that exceed the new limits stay.
  void set_limits(const Limits& limits);
  const Limits& limits() const { return limits_; }
  // Call this before the first member is added.
  void share_with_cluster(std::uint16_t tag) { news_.emplace(tag); }
  // What other nodes have to hear; null without a cluster.
  NodeNews* news() { return news_ ? &*news_ : nullptr; }

  // --- Members

  HubMember* find(MemberId id);
  const HubMember* find(MemberId id) const;
  Members& members() { return members_; }
  const Members& members() const { return members_; }
  // How many members belong to this node, also those in no room.
  std::size_t own_members() const { return members_.size() - elsewhere_; }
  // Adds a member, whose id must be new.
  HubMember& add(HubMember member);
  // Removes a member from all rooms, and forgets it.
  void remove(HubMember& member, Output& out);
  // Sets the node that a member belongs to. Returns the former one. Nothing else may change HubMember::node.
  NodeNumber assign(HubMember& member, NodeNumber node);
  // Records that a member of this node has changed, for the other nodes.
  void note_change(HubMember& member);

  // --- Rooms

  HubRooms& rooms() { return rooms_; }
  const HubRooms& rooms() const { return rooms_; }
  bool is_full(const HubRoom& room) const;
  // Puts a member into a room. If it is not absent, the others are told.
  void enter(HubMember& member, HubRoom& room, Output& out);
  // Takes a member out of a room. If it is not absent, the others are told. A room that is empty then is
  // gone.
  void leave(HubMember& member, HubRoom& room, Output& out);

  // --- Presence

  // Records that a member has become absent or present, and tells the others. `lost` is true when it was cut
  // off and did not say goodbye. Does nothing when it was so already.
  void set_absent(HubMember& member, bool absent, bool lost, Output& out);
  // The connection of a member has ended. Without a goodbye, the others are told after kGraceTime.
  void cut_off(HubMember& member, bool clean, TimePoint now, Output& out);
  // Forgets a member after kRecovery, unless it comes back.
  void forget_later(HubMember& member, TimePoint now);
  // Ends the wait: the others are not told that the member is away, and it is not forgotten.
  void clear_deadline(const HubMember& member) { deadlines_.clear(member.id, member.deadline); }
  // Returns the messages that were kept while the member was cut off, and keeps them no longer.
  static std::vector<EventPtr> take_missed(HubMember& member);

  // --- Events

  void tell_others(const HubMember& member, const HubRoom& room, const EventPtr& event, Output& out);
  // Tells the others in all rooms of the member.
  void announce(const HubMember& member, Event::Kind kind, bool lost, Output& out);
  // Lets an event reach a member, by the way that fits.
  void deliver(HubMember& member, const EventPtr& event, Output& out);
  // The same for a member of this node, but without waiting for what was sent to it earlier. The event is
  // kept for a member that is cut off.
  void deliver_now(HubMember& member, const EventPtr& event, Output& out);

  // --- A member that has come from another node

  // From now on, events that come directly are held until all marks have arrived, at most for kSettling.
  // Nodes whose members share a room with the member may have sent messages by way of its former node,
  // `before`; their marks show when the last of these has arrived. Sends this node's own mark.
  void begin_settling(HubMember& member, NodeNumber before, TimePoint now);
  // The mark of a node has arrived. Does nothing when the member does not wait for marks.
  void on_mark(HubMember& member, NodeNumber origin, Output& out);
  // Ends the settling, if it lasts, and returns the events that are held.
  std::vector<EventPtr> take_held(HubMember& member);

  void on_timeout(TimePoint now, Output& out);
  SteadyTime next_deadline() const { return std::min(deadlines_.next(), settling_.next()); }

 private:
  static EventPtr make_event(Event::Kind kind, const HubMember& member, const HubRoom& room, bool lost);
  void keep(HubMember& member, const EventPtr& event);
  void settle(HubMember& member, Output& out);

  Limits limits_;
  Members members_;            // its elements keep their addresses
  std::size_t elsewhere_ = 0;  // how many of members_ belong to another node or to none
  HubRooms rooms_;
  Deadlines<MemberId> deadlines_;
  Deadlines<MemberId> settling_;
  std::optional<NodeNews> news_;  // empty when this is the only node
};

}  // namespace turnpike::signaling
