// Rooms, their members, and what the members send to each other, independent of the protocol that each member
// uses. The hub has no connection and no clock: the caller passes the time, and finds events for connections
// in an Output.
//
// A member outlives its connection. When the connection is lost, the member stays in its rooms, and the
// others are not told for kGraceTime. Then they are told that it has left. Within kRecovery it can still come
// back as the same member, and gets what it has missed. A member that has said goodbye has left at once, but
// it can come back in the same way.
//
// In a cluster, rooms also have members of other nodes. update() tells the hub about these; take_changes()
// and take_outgoing() return what other nodes have to know. Without share_with_cluster() there are no other
// nodes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "turnpike/auth/revocations.hpp"
#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/source_counter.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/signaling/event.hpp"
#include "turnpike/signaling/member_id.hpp"
#include "turnpike/signaling/params.hpp"
#include "turnpike/signaling/presence.hpp"
#include "turnpike/signaling/refusal.hpp"

namespace turnpike::signaling {

// The owner of the connections chooses these numbers and uses none of them twice. 0 means none.
using ConnectionId = std::uint64_t;

// This bit is set in the numbers of Socket.IO's sockets, since several of them can share a connection.
inline constexpr ConnectionId kSocketIoBit = ConnectionId{1} << 63;

struct Delivery {
  ConnectionId to = 0;
  std::shared_ptr<const Event> event;
};

class Hub {
 public:
  static constexpr Duration kGraceTime = std::chrono::seconds(3);
  static constexpr Duration kRecovery = std::chrono::minutes(2);
  // A member that has come from another node gets messages in the order in which they were sent, as far as
  // they arrive within this time.
  static constexpr Duration kSettling = std::chrono::seconds(2);
  static constexpr std::size_t kMaxShared = 4 << 20;  // octets of what is said to members of other nodes
  // Events that are held for one member; when there are more, their order is lost
  static constexpr std::size_t kMaxHeld = 256;
  static constexpr std::size_t kMaxHeldBytes = 256 << 10;  // the limit of their size, with the same effect
  // Each node that forwards an event knows of a later move than the one before it, so none goes in a circle.
  static constexpr std::uint32_t kMaxForwards = 8;

  struct Output {
    std::vector<Delivery> deliveries;
    std::vector<ConnectionId> replaced;  // of members that have come back on another node
    void clear() {
      deliveries.clear();
      replaced.clear();
    }
  };

  struct Newcomer {
    ConnectionId connection = 0;
    IpAddress address;
    std::string name;
    std::string role;
    std::string quota_user;                // the name under which the quota of the relay counts this member
    std::optional<WallTime> good_until{};  // the expiry of its token; nothing without one
    std::string token_id{};                // of its token; see Grant
    std::optional<WallTime> issued{};      // when its token was issued
  };

  struct Peer {
    MemberId id;
    std::string name;
    std::string role;
  };

  // The result of resume().
  struct Resumed {
    MemberId id;
    ConnectionId replaced = 0;  // its former connection, which the caller closes; 0 when it had none
    std::vector<std::string> rooms;
    std::string quota_user;
    std::optional<WallTime> good_until{};
  };

  Hub(const Limits& limits, crypto::Random& random)
      : limits_(limits),
        random_(random),
        rooms_(0, KeyedHash(crypto::draw_hash_key(random))),
        rooms_from_(limits.rooms_per_address) {}

  // Adds a member, which is in no room yet. Returns its id.
  MemberId add_member(Newcomer newcomer);
  // Removes a member from all rooms. It cannot come back.
  void remove(MemberId id, Output& out);

  // Adds a member to a room, and returns the other members that are present. Does nothing when the member is
  // in the room already. Fails with not_joined for an unknown member, and with too_many_joined, room_full or
  // too_many_rooms.
  Result<std::vector<Peer>, Refusal> join(MemberId id, std::string_view room, Output& out);
  // Returns false when the member is not in the room.
  bool leave(MemberId id, std::string_view room, Output& out);

  // Sends to a member that shares a room with the sender; the message is kept for a member that is cut off.
  // Returns not_joined, no_such_peer or too_large when it was not sent.
  std::optional<Refusal> signal(MemberId from, MemberId to, MemberMessage message, Output& out);
  // Sends to all other members of the room. Returns not_joined or too_large when it was not sent.
  std::optional<Refusal> broadcast(MemberId from, std::string_view room, MemberMessage message, Output& out);

  // The connection of a member has ended. `clean` is true when the client has closed it properly.
  void disconnect(MemberId id, bool clean, TimePoint now, Output& out);
  // Lets a member come back. `secret` is the result of resume_secret(), and `address` is where the client is
  // now. `out` first has what the other members are told, and then what this member has missed. Fails with
  // resume_unknown, or with room_full when its place was given to somebody else; the client may then try
  // again. A member of another node then belongs to this node, and receive() gets what the other node has
  // kept for it.
  Result<Resumed, Refusal> resume(std::string_view secret, ConnectionId connection, const IpAddress& address,
                                  TimePoint now, Output& out);
  // The secret by which this member can come back; empty for an unknown member.
  std::string resume_secret(MemberId id) const;

  // Changes the name of a member, and tells the other members of its rooms.
  void rename(MemberId id, std::string name, Output& out);
  // Replaces what is known of the member's token, because its client has sent another token.
  void renew_token(MemberId id, std::string quota_user, std::optional<WallTime> good_until,
                   std::string token_id, std::optional<WallTime> issued);

  // The members that were removed because their tokens are revoked.
  struct Revoked {
    std::vector<ConnectionId> connections;  // of those that are connected
    std::vector<std::string> quota_users;   // of all of them, each once
  };
  // Removes the members whose tokens `revocation` covers, both those of this node and those whose nodes have
  // ended.
  Revoked remove_holders(const auth::Revocation& revocation, Output& out);
  // Makes resume() refuse members whose tokens are in `revocations`, which must outlive the hub. This is
  // needed because a node can stop before it has removed its members.
  void set_revocations(const auth::Revocations& revocations) { revocations_ = &revocations; }

  // The other members of a room who are present.
  std::vector<Peer> peers_of(MemberId id, std::string_view room) const;
  // The rooms that somebody is in, by name.
  std::vector<std::string> room_names() const;

  void on_timeout(TimePoint now, Output& out);
  SteadyTime next_deadline() const { return std::min(deadlines_.next(), settling_.next()); }

  // --- In a cluster

  // Call this before the first add_member().
  void share_with_cluster(ClusterParams params) { cluster_.emplace(std::move(params)); }
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
  // Applies what another node reports about one of its members. A member of this node that has moved to that
  // node then belongs to that node; take_outgoing() then has what the member has missed.
  void update(NodeNumber node, const Presence& presence, Output& out);
  // Replaces all that is known about the members of `node`.
  void replace(NodeNumber node, const std::vector<Presence>& presences, Output& out);
  // Records that the node is absent. The other members are told that its members were cut off. These may come
  // back to any node within kRecovery.
  void on_node_gone(NodeNumber node, TimePoint now, Output& out);
  // Delivers what another node has sent. When the receiver has moved on meanwhile, an event is forwarded, at
  // most kMaxForwards times, and a mark once: what the first of three nodes still has then comes in any
  // order.
  void receive(const Outgoing& message, Output& out);
  // Forgets a member whose node has ended, because it has missed more than can be kept. It cannot come back.
  void give_up(MemberId id, Output& out);
  // The node that a member belongs to; nothing when the member is unknown.
  std::optional<NodeNumber> node_of(MemberId id) const;
  // Whether members of this node share a room with the member. In that case this node has to send a mark (see
  // Outgoing) when the member moves from one other node to another.
  bool has_company_here(MemberId id) const;

  // Changes the limits. Rooms that exceed the new limits stay.
  void set_limits(const Limits& limits) {
    limits_ = limits;
    rooms_from_.set_limit(limits.rooms_per_address);
  }
  // The number of members of this node, also of those in no room. rooms() counts the rooms of all nodes.
  std::size_t members() const { return members_.size() - elsewhere_; }
  std::size_t rooms() const { return rooms_.size(); }

 private:
  using EventPtr = std::shared_ptr<const Event>;

  struct Room;
  // The state of a member that has just come from another node; see kSettling.
  struct Settling {
    std::vector<NodeNumber> awaited;  // the nodes whose marks have not arrived yet
    std::vector<EventPtr> held;       // events that did not come by its former node and wait for the marks
    std::size_t held_bytes = 0;
    SteadyTime until{};
  };
  struct Member {
    MemberId id;
    MemberId secret;
    std::string name;
    std::string role;
    std::string quota_user;
    std::optional<WallTime> good_until;
    std::string token_id;
    std::optional<WallTime> issued;
    IpAddress address;
    NodeNumber node = kThisNode;
    std::uint64_t version = 0;    // see Presence
    ConnectionId connection = 0;  // 0 = cut off, or another node's
    bool absent = false;          // it is cut off, and the other members were told
    bool lost = false;            // it was cut off and did not say goodbye; only with `absent`
    std::vector<Room*> rooms;
    std::vector<EventPtr> missed;
    std::size_t missed_bytes = 0;
    SteadyTime deadline{};      // while it is cut off: until the others are told, or until it is forgotten
    SteadyTime forgotten_at{};  // while it is cut off
    std::unique_ptr<Settling> settling;
  };
  struct Room {
    std::string name;
    std::optional<IpAddress> opened_from;  // empty when another node's member was the first
    std::vector<Member*> members;
  };
  struct Cluster {
    explicit Cluster(ClusterParams p) : params(std::move(p)) {}

    ClusterParams params;
    crypto::Digester digester;
    std::vector<Presence> changes;
    std::vector<Outgoing> outgoing;
    std::vector<MemberId> arrived;
  };
  Member* find(MemberId id);
  const Member* find(MemberId id) const;
  Room* find_room(std::string_view name);
  const Room* find_room(std::string_view name) const;
  Room* open_room(std::string_view name, const IpAddress& from);
  Room& find_or_add_room(std::string_view name);
  void close_if_empty(Room& room);
  static std::size_t present_in(const Room& room);
  bool is_full(const Room& room) const;
  void remove_from_room(Member& member, Room& room, Output& out);
  void tell_others(const Member& member, const Room& room, const EventPtr& event, Output& out);
  static EventPtr make_event(Event::Kind kind, const Member& member, const Room& room, bool lost);
  void announce(const Member& member, Event::Kind kind, bool lost, Output& out);
  void deliver(Member& member, const EventPtr& event, Output& out);
  void deliver_now(Member& member, const EventPtr& event, Output& out);
  void begin_settling(Member& member, NodeNumber before, TimePoint now);
  void settle(Member& member, Output& out);
  void handle_mark(Member& member, const Outgoing& mark, Output& out);
  static bool is_in(const Member& member, std::string_view room);
  void send_out(const Member& member, const EventPtr& event, std::uint32_t forwarded);
  MemberId secret_of(const Member& member, std::size_t key) const;
  bool is_secret_of(const Member& member, const MemberId& proof) const;
  static Presence presence_of(const Member& member);
  static bool is_shared(const Member& member) { return member.node == kThisNode && !member.rooms.empty(); }
  void note_change(Member& member);
  void hand_over(Member& member, std::uint64_t version, Output& out);
  void set_absent(Member& member, bool absent, bool lost, Output& out);
  void leave_all_but(Member& member, const std::vector<std::string>& rooms, Output& out);
  void join_all_of(Member& member, const std::vector<std::string>& rooms, Output& out);

  Limits limits_;
  crypto::Random& random_;
  const auth::Revocations* revocations_ = nullptr;
  // The elements of these maps keep their addresses, since members and rooms point at each other.
  std::unordered_map<MemberId, Member, MemberIdHash> members_;
  std::size_t elsewhere_ = 0;  // how many of members_ belong to another node or to none
  std::unordered_map<std::string, Room, KeyedHash, std::equal_to<>> rooms_;  // strangers choose the names
  SourceCounter rooms_from_;
  Deadlines<MemberId> deadlines_;
  Deadlines<MemberId> settling_;
  mutable std::optional<Cluster> cluster_;  // empty when this is the only node
};

}  // namespace turnpike::signaling
