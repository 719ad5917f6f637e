// Rooms, who is in them, and what they tell each other, whatever protocol each of them speaks. The hub has no
// connection and no clock: it is called with the time and fills an Output with events for connections.
//
// A member outlives its connection. Cut off, it stays in its rooms for a moment in which nobody notices; then
// the others are told that it is gone, and for two minutes it can still come back as the same member and gets
// what it missed. One that said goodbye is gone at once, but can come back likewise.
//
// In a cluster, rooms have members that belong to other nodes as well. The hub is told of them by update(),
// and tells other nodes by take_changes() and take_outgoing(). Without share_with_cluster() there are none.
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

// Given by whoever owns the connections, never twice; 0 is none.
using ConnectionId = std::uint64_t;

// Set in the numbers of Socket.IO's sockets, several of which may share a connection.
inline constexpr ConnectionId kSocketIoBit = ConnectionId{1} << 63;

struct Delivery {
  ConnectionId to = 0;
  std::shared_ptr<const Event> event;
};

class Hub {
 public:
  static constexpr Duration kUnnoticed = std::chrono::seconds(3);
  static constexpr Duration kRecovery = std::chrono::minutes(2);
  // To a member that has come from another node, what is said first arrives first, if it comes within this.
  static constexpr Duration kSettling = std::chrono::seconds(2);
  static constexpr std::size_t kMaxShared = 4 << 20;       // octets of what is said to members of other nodes
  static constexpr std::size_t kMaxHeld = 256;             // events; with more, order is given up
  static constexpr std::size_t kMaxHeldBytes = 256 << 10;  // likewise

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
    std::string quota_user;                // kept for whoever makes relay credentials for this member
    std::optional<WallTime> good_until{};  // likewise, of its token; nothing without one
    std::string token_id{};                // of its token; see Grant
    std::optional<WallTime> issued{};      // likewise
  };

  struct Peer {
    MemberId id;
    std::string name;
    std::string role;
  };

  // What a member comes back to.
  struct Resumed {
    MemberId id;
    ConnectionId replaced = 0;  // its former connection, where that was still thought alive
    std::vector<std::string> rooms;
    std::string quota_user;
    std::optional<WallTime> good_until{};
  };

  Hub(const Limits& limits, crypto::Random& random)
      : limits_(limits),
        random_(random),
        rooms_(0, KeyedHash(crypto::draw_hash_key(random))),
        rooms_from_(limits.rooms_per_address) {}

  // A new member, in no room yet.
  MemberId enter(Newcomer newcomer);
  // Gone for good, and from every room.
  void remove(MemberId id, Output& out);

  // The others in the room, those whom they know to be there. Joining a room twice changes nothing.
  Result<std::vector<Peer>, Refusal> join(MemberId id, std::string_view room, Output& out);
  bool leave(MemberId id, std::string_view room, Output& out);

  // To one member of a room that both are in; kept for one that is cut off.
  std::optional<Refusal> signal(MemberId from, MemberId to, Saying saying, Output& out);
  // To everybody else in the room.
  std::optional<Refusal> broadcast(MemberId from, std::string_view room, Saying saying, Output& out);

  // The connection is gone; `clean` when the other side closed it properly.
  void disconnect(MemberId id, bool clean, TimePoint now, Output& out);
  // With the secret of resume_secret(), from `address`. What was missed stands in `out`, after what the
  // others are told. One whose place was given to somebody else finds the room full, and may try again. A
  // member of another node becomes a member of this one; what that node has kept for it comes by receive().
  Result<Resumed, Refusal> resume(std::string_view secret, ConnectionId connection, const IpAddress& address,
                                  TimePoint now, Output& out);
  std::string resume_secret(MemberId id) const;

  void rename(MemberId id, std::string name, Output& out);
  // It has brought another token.
  void renew(MemberId id, std::string quota_user, std::optional<WallTime> good_until, std::string token_id,
             std::optional<WallTime> issued);

  // Members that were removed since their tokens are revoked.
  struct Revoked {
    std::vector<ConnectionId> connections;  // of those that are connected
    std::vector<std::string> quota_users;   // of all of them, each once
  };
  // Of this node, and of nodes that are gone.
  Revoked remove_holders(const auth::Revocation& revocation, Output& out);
  // Nobody comes back by a token that is revoked in these, which outlive the hub: a node may die before it
  // has removed its members.
  void heed(const auth::Revocations& revocations) { revocations_ = &revocations; }

  std::vector<Peer> peers_of(MemberId id, std::string_view room) const;
  // The rooms that somebody is in, by name.
  std::vector<std::string> room_names() const;

  void on_timeout(TimePoint now, Output& out);
  SteadyTime next_deadline() const { return std::min(deadlines_.next(), settling_.next()); }

  // --- In a cluster

  // To be called before anybody enters.
  void share_with_cluster(ClusterParams params) { cluster_.emplace(std::move(params)); }
  // Members of this node that have changed since this was last called, in the order of their changes. One
  // without rooms is no member of this node any more: it is gone, or has gone to another node.
  std::vector<Presence> take_changes();
  // What members have said since then to members of other nodes, in the order in which they said it.
  std::vector<Outgoing> take_outgoing();
  // Members of other nodes that have come back to this one since then.
  std::vector<MemberId> take_arrived();
  // What other nodes have to know of the members of this one.
  std::vector<Presence> presences() const;
  // One of them; nothing where no member of this node has the id, or it is in no room.
  std::optional<Presence> presence(MemberId id) const;
  std::size_t count_presences() const;
  // Another node says what a member of its is like. A member of this node that has gone there belongs to it
  // from now on; what it has missed is in take_outgoing().
  void update(NodeNumber node, const Presence& presence, Output& out);
  // The members of `node` are exactly these.
  void replace(NodeNumber node, const std::vector<Presence>& presences, Output& out);
  // The node is gone. Its members are told to be lost, and may come back to any node for two minutes.
  void lose(NodeNumber node, TimePoint now, Output& out);
  // What another node has sent. It goes on to a member that has moved to another node meanwhile, once.
  void receive(const Outgoing& message, Output& out);
  // A member whose node is gone has missed more than is kept for it: it does not come back.
  void give_up(MemberId id, Output& out);
  // Nothing where there is no such member.
  std::optional<NodeNumber> node_of(MemberId id) const;
  // Whether members of this node share a room with it. If so, and it moves between two other nodes, a mark is
  // sent.
  bool has_company_here(MemberId id) const;

  // From now on these hold. Rooms that are beyond them stay.
  void set_limits(const Limits& limits) {
    limits_ = limits;
    rooms_from_.set_limit(limits.rooms_per_address);
  }
  // Of this node, in rooms or not.
  std::size_t members() const { return members_.size() - elsewhere_; }
  std::size_t rooms() const { return rooms_.size(); }

 private:
  using EventPtr = std::shared_ptr<const Event>;

  struct Room;
  // Of a member that has just come from another node.
  struct Settling {
    std::vector<NodeNumber> awaited;  // whose marks have not come
    std::vector<EventPtr> held;       // what was not sent after it by its former node
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
    bool noticed = false;         // cut off, and the others know
    bool lost = false;            // of one that the others know to be cut off: it did not say goodbye
    std::vector<Room*> rooms;
    std::vector<EventPtr> missed;
    std::size_t missed_bytes = 0;
    SteadyTime deadline{};      // while it is cut off: until the others are told, or until it is forgotten
    SteadyTime forgotten_at{};  // while it is cut off
    std::unique_ptr<Settling> settling;
  };
  struct Room {
    std::string name;
    std::optional<IpAddress> opened_from;  // nothing where another node's member was the first
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
  Room& room_of_others(std::string_view name);
  void close_if_empty(Room& room);
  static std::size_t present_in(const Room& room);
  bool is_full(const Room& room) const;
  void take_out(Member& member, Room& room, Output& out);
  void tell_others(const Member& member, const Room& room, const EventPtr& event, Output& out);
  static EventPtr change(Event::Kind kind, const Member& member, const Room& room, bool lost);
  void announce(const Member& member, Event::Kind kind, bool lost, Output& out);
  void deliver(Member& member, const EventPtr& event, Output& out);
  void pass(Member& member, const EventPtr& event, Output& out);
  void begin_settling(Member& member, NodeNumber before, TimePoint now);
  void settle(Member& member, Output& out);
  void take_mark(Member& member, const Outgoing& mark, Output& out);
  static bool is_in(const Member& member, std::string_view room);
  void send_out(const Member& member, const EventPtr& event, bool forwarded);
  MemberId secret_of(const Member& member, std::size_t key) const;
  bool is_secret_of(const Member& member, const MemberId& proof) const;
  static Presence presence_of(const Member& member);
  static bool is_shared(const Member& member) { return member.node == kThisNode && !member.rooms.empty(); }
  void note_change(Member& member);
  void give_away(Member& member, std::uint64_t version, Output& out);
  void set_noticed(Member& member, bool noticed, bool lost, Output& out);
  void leave_all_but(Member& member, const std::vector<std::string>& rooms, Output& out);
  void enter_all_of(Member& member, const std::vector<std::string>& rooms, Output& out);

  Limits limits_;
  crypto::Random& random_;
  const auth::Revocations* revocations_ = nullptr;
  // Nodes stay where they are: members and rooms point at each other.
  std::unordered_map<MemberId, Member, MemberIdHash> members_;
  std::size_t elsewhere_ = 0;  // of these, members of other nodes, or of none
  std::unordered_map<std::string, Room, KeyedHash, std::equal_to<>> rooms_;  // strangers choose the names
  SourceCounter rooms_from_;
  Deadlines<MemberId> deadlines_;
  Deadlines<MemberId> settling_;
  mutable std::optional<Cluster> cluster_;  // nothing where this is the only node
};

}  // namespace turnpike::signaling
