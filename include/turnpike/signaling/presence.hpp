// What the nodes of a cluster tell each other about the members of rooms. Each member belongs to one node:
// the one that it is connected to, or was connected to last. Only that node changes what is known of the
// member.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "turnpike/base/time.hpp"
#include "turnpike/signaling/event.hpp"
#include "turnpike/signaling/member_id.hpp"

namespace turnpike::signaling {

// Another node, by a number that its owner gives it and does not use for any other. 0 is this node.
using NodeNumber = std::uint32_t;
inline constexpr NodeNumber kThisNode = 0;
// The owner of a member whose node has ended, until the member comes back to another node or is forgotten.
inline constexpr NodeNumber kNoNode = UINT32_MAX;

// A member as other nodes know it.
struct Presence {
  MemberId id;
  // Grows with each change, whichever node makes it. Of two presences of one member the higher one holds. The
  // low 16 bits tell nodes apart that change a member at the same time. Where a member comes back, the others
  // become at least the time in milliseconds since 1970: of two nodes that have not heard of each other, the
  // one that it came to last keeps it.
  std::uint64_t version = 0;
  std::string name;
  std::string role;
  std::string quota_user;
  std::optional<WallTime> good_until{};  // the expiry of its token; nothing without one
  std::string token_id{};                // the id of its token; see Grant
  std::optional<WallTime> issued{};      // when its token was issued
  bool present = true;                   // false: it was cut off or said goodbye, and the others know
  bool lost = false;                     // of one that is not present: it was cut off
  std::vector<std::string> rooms;        // empty: the member has left for good
};

// Something for members of another node: an event that a member has caused or, when `event` is null, a mark.
//
// When a member moves to another node, messages reach it by two ways for a short time: directly at its new
// node, and through its former node. Each node whose members send to it sends a mark to the former node,
// which forwards the mark. When the mark arrives, everything that its sender had sent through the former node
// has arrived.
struct Outgoing {
  NodeNumber node = kNoNode;
  std::vector<MemberId> to;  // members that belong to the node, as far as is known here
  std::shared_ptr<const Event> event{};
  // How many nodes have sent it on, each of which took `to` for members of the next one.
  std::uint32_t forwarded = 0;
  NodeNumber origin = kThisNode;  // of a mark
};

// What each node of a cluster has in common with the others, and what it has of its own.
struct ClusterParams {
  std::vector<std::string> resume_keys;  // secrets are made with the first; all of them are accepted
  // The low 16 bits of versions; random, so that two nodes rarely have the same.
  std::uint16_t tag = 0;
};

}  // namespace turnpike::signaling
