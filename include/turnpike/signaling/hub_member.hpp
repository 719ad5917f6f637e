// What the hub stores about a member and about a room. Members and rooms point at each other, so both keep
// their addresses; Membership owns the members, and HubRooms owns the rooms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/event.hpp"
#include "turnpike/signaling/member_id.hpp"
#include "turnpike/signaling/presence.hpp"

namespace turnpike::signaling {

// The owner of the connections chooses these numbers and uses none of them twice. 0 means none.
using ConnectionId = std::uint64_t;

using EventPtr = std::shared_ptr<const Event>;

struct HubMember;

struct HubRoom {
  std::string name;
  std::optional<IpAddress> opened_from;  // empty when another node's member was the first
  std::vector<HubMember*> members;

  // The number of members who are not absent.
  std::size_t count_present() const;
};

// The state of a member that has just come from another node; see Membership::kSettling.
struct Settling {
  std::vector<NodeNumber> awaited;  // the nodes whose marks have not arrived yet
  std::vector<EventPtr> held;       // events that did not come by its former node and wait for the marks
  std::size_t held_bytes = 0;
  SteadyTime until{};
};

struct HubMember {
  static constexpr SteadyTime kAtOnce{};  // earlier than any time of a steady clock

  MemberId id;
  MemberId secret{};
  std::string name{};
  std::string role{};
  std::string quota_user{};              // the name under which the quota of the relay counts this member
  std::optional<WallTime> good_until{};  // the expiry of its token; nothing without one
  std::string token_id{};                // of its token; see Grant
  std::optional<WallTime> issued{};      // when its token was issued
  IpAddress address{};
  NodeNumber node = kThisNode;
  std::uint64_t version = 0;    // see Presence
  ConnectionId connection = 0;  // 0 = cut off, or another node's
  bool absent = false;          // it is cut off, and the other members were told
  bool lost = false;            // it was cut off and did not say goodbye; only with `absent`
  std::vector<HubRoom*> rooms{};
  std::vector<EventPtr> missed{};
  std::size_t missed_bytes = 0;
  SteadyTime deadline{};      // while it is cut off: until the others are told, or until it is forgotten
  SteadyTime forgotten_at{};  // while it is cut off
  std::unique_ptr<Settling> settling{};

  // Whether it belongs to this node.
  bool is_own() const { return node == kThisNode; }
  // Whether it was cut off and has missed more than is kept, so that it cannot come back.
  bool has_missed_too_much() const { return is_own() && connection == 0 && forgotten_at == kAtOnce; }
  bool is_in(const HubRoom& room) const;
  bool is_in(std::string_view room_name) const;
};

}  // namespace turnpike::signaling
