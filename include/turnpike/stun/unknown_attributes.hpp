// Which attributes of a message a server would have to understand and does not (RFC 8489 §6.3.1). Which ones
// are known at all is said beside the enum AttributeType, by understood_by().
#pragma once

#include <boost/container/static_vector.hpp>

#include "turnpike/stun/message.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::stun {

// Enough to answer with; a request that carries more unknown types than this is no client of ours.
using UnknownTypes = boost::container::static_vector<AttributeType, 128>;

// What this server understands beyond STUN and TURN: ACCESS-TOKEN where tokens are taken (RFC 7635 §8), and
// the attributes of RFC 5780 where NAT discovery is offered.
struct KnownHere {
  bool tokens = false;
  bool nat_discovery = false;
};

// The comprehension-required attributes of the message that are unknown here, each once, in their order.
UnknownTypes unknown_required(const MessageView& message, KnownHere known);

}  // namespace turnpike::stun
