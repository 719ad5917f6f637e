// Which attributes this server understands, and which of a message's it would have to but does not (RFC 8489
// §6.3.1).
#pragma once

#include <boost/container/static_vector.hpp>

#include "turnpike/stun/message.hpp"

namespace turnpike::turn {

// Enough to answer with; a request that carries more unknown types than this is no client of ours.
using UnknownTypes = boost::container::static_vector<stun::AttributeType, 128>;

// What is known beyond STUN and TURN: ACCESS-TOKEN where tokens are taken (RFC 7635 §8), and the attributes
// of RFC 5780 where NAT discovery is offered.
struct KnownHere {
  bool tokens = false;
  bool nat_discovery = false;
};

// The comprehension-required attributes that are unknown here, each once, in their order.
UnknownTypes unknown_required(const stun::MessageView& message, KnownHere known);

}  // namespace turnpike::turn
