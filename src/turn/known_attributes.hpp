// Which attributes this server understands, and which of a message's it would have to but does not (RFC 8489
// §6.3.1).
#pragma once

#include <boost/container/static_vector.hpp>

#include "turnpike/stun/message.hpp"

namespace turnpike::turn {

// Enough to answer with; a request that carries more unknown types than this is no client of ours.
using UnknownTypes = boost::container::static_vector<stun::AttributeType, 128>;

// The comprehension-required attributes that are unknown here, each once, in their order.
UnknownTypes unknown_required(const stun::MessageView& message);

}  // namespace turnpike::turn
