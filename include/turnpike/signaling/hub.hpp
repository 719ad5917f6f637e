// Rooms, their members, and what the members send to each other, independent of the protocol that each member
// uses. The hub has no connection and no clock: the caller passes the time, and finds events for connections
// in an Output.
//
// A member outlives its connection. When the connection is lost, the member stays in its rooms, and the
// others are not told for Membership::kGraceTime. Then they are told that it has left. Within
// Membership::kRecovery it can still come back as the same member, and gets what it has missed. A member that
// has said goodbye has left at once, but it can come back in the same way.
//
// In a cluster, rooms also have members of other nodes. cluster() is the hub as these nodes see it. Without
// share_with_cluster() there are no other nodes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/auth/revocations.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/signaling/event.hpp"
#include "turnpike/signaling/hub_cluster.hpp"
#include "turnpike/signaling/member_id.hpp"
#include "turnpike/signaling/membership.hpp"
#include "turnpike/signaling/params.hpp"
#include "turnpike/signaling/refusal.hpp"
#include "turnpike/signaling/resume_secrets.hpp"

namespace turnpike::signaling {

// This bit is set in the numbers of Socket.IO's sockets, since several of them can share a connection.
inline constexpr ConnectionId kSocketIoBit = ConnectionId{1} << 63;

class Hub {
 public:
  static constexpr std::size_t kMaxShared = 4 << 20;  // octets of what is said to members of other nodes

  using Output = HubOutput;

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

  Hub(const Limits& limits, crypto::Random& random) : random_(random), membership_(limits, random) {}
  // cluster_ refers to membership_.
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

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
  // again. A member of another node then belongs to this node, and HubCluster::receive() gets what the other
  // node has kept for it.
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
  // The names of the rooms in which somebody is present, sorted.
  std::vector<std::string> room_names() const;

  void on_timeout(TimePoint now, Output& out) { membership_.on_timeout(now, out); }
  SteadyTime next_deadline() const { return membership_.next_deadline(); }

  // Call this before the first add_member().
  void share_with_cluster(ClusterParams params);
  HubCluster& cluster() { return cluster_; }
  const HubCluster& cluster() const { return cluster_; }

  // Changes the limits. Rooms that exceed the new limits stay.
  void set_limits(const Limits& limits) { membership_.set_limits(limits); }
  // The number of members of this node, also of those in no room. rooms() counts the rooms of all nodes.
  std::size_t members() const { return membership_.own_members(); }
  std::size_t rooms() const { return membership_.rooms().size(); }

 private:
  Result<HubMember*, Refusal> find_by_secret(std::string_view secret, WallTime now);
  void bring_here(HubMember& member, TimePoint now);

  crypto::Random& random_;
  const auth::Revocations* revocations_ = nullptr;
  ResumeSecrets secrets_;
  Membership membership_;
  HubCluster cluster_{membership_};
};

}  // namespace turnpike::signaling
