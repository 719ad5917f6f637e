// Rooms, who is in them, and what they tell each other, whatever protocol each of them speaks. The hub has no
// connection and no clock: it is called with the time and fills an Output with events for connections.
//
// A member outlives its connection. Cut off, it stays in its rooms for a moment in which nobody notices; then
// the others are told that it is gone, and for two minutes it can still come back as the same member and gets
// what it missed. One that said goodbye is gone at once, but can come back likewise.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/source_counter.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/signaling/member_id.hpp"
#include "turnpike/signaling/params.hpp"
#include "turnpike/signaling/refusal.hpp"

namespace turnpike::signaling {

// Given by whoever owns the connections, never twice; 0 is none.
using ConnectionId = std::uint64_t;

// Set in the numbers of Socket.IO's sockets, several of which may share a connection.
inline constexpr ConnectionId kSocketIoBit = ConnectionId{1} << 63;

// What one member says to others.
struct Saying {
  using Attachment = std::shared_ptr<const std::string>;

  Saying(std::string_view json) : payload(json) {}    // NOLINT(google-explicit-constructor)
  Saying(const char* json) : payload(json) {}         // NOLINT(google-explicit-constructor)
  Saying(const std::string& json) : payload(json) {}  // NOLINT(google-explicit-constructor)

  std::string payload;     // JSON, as the sender wrote it
  std::string event;       // what protocols that name their events call it; empty: what they call by default
  std::string rest;        // further arguments in such a protocol: JSON, each after a comma
  bool anonymous = false;  // such a protocol passes it on without the sender's id
  std::vector<Attachment> attachments;  // octets that the payload has placeholders for
};

struct Event {
  enum class Kind : std::uint8_t { peer_joined, peer_left, signal, broadcast };
  Kind kind = Kind::signal;
  std::string room;  // empty for a signal
  MemberId from;
  std::string name;  // of `from`
  std::string role;  // likewise, told on joining
  Saying saying{std::string_view()};
  std::size_t present = 0;  // of peer_joined and peer_left: how many are in the room now
  bool lost = false;        // of peer_left: cut off, not gone by itself
};

struct Delivery {
  ConnectionId to = 0;
  std::shared_ptr<const Event> event;
};

class Hub {
 public:
  static constexpr Duration kUnnoticed = std::chrono::seconds(3);
  static constexpr Duration kRecovery = std::chrono::minutes(2);

  struct Output {
    std::vector<Delivery> deliveries;
    void clear() { deliveries.clear(); }
  };

  struct Newcomer {
    ConnectionId connection = 0;
    IpAddress address;
    std::string name;
    std::string role;
    std::string quota_user;                // kept for whoever makes relay credentials for this member
    std::optional<WallTime> good_until{};  // likewise, of its token; nothing without one
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

  // The connection is gone; `goodbye` when the other side closed it in form.
  void disconnect(MemberId id, bool goodbye, TimePoint now, Output& out);
  // With the secret of resume_secret(). What was missed stands in `out`, after what the others are told. One
  // whose place was given to somebody else finds the room full, and may try again.
  Result<Resumed, Refusal> resume(std::string_view secret, ConnectionId connection, Output& out);
  std::string resume_secret(MemberId id) const;

  void rename(MemberId id, std::string name);
  // It has brought another token.
  void renew(MemberId id, std::string quota_user, std::optional<WallTime> good_until);

  std::vector<Peer> peers_of(MemberId id, std::string_view room) const;
  // The rooms that somebody is in, by name.
  std::vector<std::string> room_names() const;

  void on_timeout(TimePoint now, Output& out);
  SteadyTime next_deadline() const { return deadlines_.next(); }

  // From now on these hold. Rooms that are beyond them stay.
  void set_limits(const Limits& limits) {
    limits_ = limits;
    rooms_from_.set_limit(limits.rooms_per_address);
  }
  std::size_t members() const { return members_.size(); }
  std::size_t rooms() const { return rooms_.size(); }

 private:
  using EventPtr = std::shared_ptr<const Event>;

  struct Room;
  struct Member {
    MemberId id;
    MemberId secret;
    std::string name;
    std::string role;
    std::string quota_user;
    std::optional<WallTime> good_until;
    IpAddress address;
    ConnectionId connection = 0;  // 0 = cut off
    bool noticed = false;         // cut off, and the others know
    std::vector<Room*> rooms;
    std::vector<EventPtr> missed;
    std::size_t missed_bytes = 0;
    SteadyTime deadline{};      // while it is cut off: until the others are told, or until it is forgotten
    SteadyTime forgotten_at{};  // while it is cut off
  };
  struct Room {
    std::string name;
    IpAddress opened_from;
    std::vector<Member*> members;
  };
  Member* find(MemberId id);
  const Member* find(MemberId id) const;
  Room* find_room(std::string_view name);
  const Room* find_room(std::string_view name) const;
  Room* open_room(std::string_view name, const IpAddress& from);
  void close_if_empty(Room& room);
  static std::size_t present_in(const Room& room);
  bool is_full(const Room& room) const;
  void take_out(Member& member, Room& room, Output& out);
  void tell_others(const Member& member, const Room& room, const EventPtr& event, Output& out);
  static EventPtr change(Event::Kind kind, const Member& member, const Room& room, bool lost);
  void announce(const Member& member, Event::Kind kind, bool lost, Output& out);
  void deliver(Member& member, const EventPtr& event, Output& out);

  Limits limits_;
  crypto::Random& random_;
  // Nodes stay where they are: members and rooms point at each other.
  std::unordered_map<MemberId, Member, MemberIdHash> members_;
  std::unordered_map<std::string, Room, KeyedHash, std::equal_to<>> rooms_;  // strangers choose the names
  SourceCounter rooms_from_;
  Deadlines<MemberId> deadlines_;
};

}  // namespace turnpike::signaling
