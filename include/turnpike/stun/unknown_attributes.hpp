// Finds the comprehension-required attributes of a message that this server does not understand (RFC 8489
// §6.3.1). understood_by(), next to the enum AttributeType, says which attributes are known.
#pragma once

#include <boost/container/static_vector.hpp>

#include "turnpike/stun/message.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::stun {

// At most this many unknown types are reported. No real client sends more.
using UnknownTypes = boost::container::static_vector<AttributeType, 128>;

// The optional attributes that this server understands: ACCESS-TOKEN if it accepts tokens (RFC 7635 §8), and
// the attributes of RFC 5780 if it offers NAT discovery.
struct KnownHere {
  bool tokens = false;
  bool nat_discovery = false;
  // A CHANGE-REQUEST without a flag asks for nothing, so that every answer fulfils it. Stuntman's client puts
  // one into each Binding request.
  bool empty_change_request = false;
};

// The comprehension-required attributes of the message that are unknown to this server, each once, in the
// order of the message.
UnknownTypes unknown_required(const MessageView& message, KnownHere known);

}  // namespace turnpike::stun
