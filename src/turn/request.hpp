// A request on its way through the server: what it is, whom it is from, and how its answer is to be signed.
#pragma once

#include <optional>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::turn {

struct Server::Request {
  const FiveTuple& tuple;
  const stun::MessageView& message;
  TimePoint now;
  Allocation* allocation = nullptr;                    // of this 5-tuple, if there is one
  std::optional<auth::Authenticated> authenticated{};  // absent: the answer is not signed
  bool had_valid_nonce = false;                        // else the answer counts against the source's limit
  std::optional<FiveTuple> answer_to{};                // where that is not `tuple` (RFC 5780)

  std::optional<Bytes> find(stun::AttributeType type) const { return message.find(type); }
  bool has(stun::AttributeType type) const { return message.has(type); }
};

// A peer as the request names it, in its local form and found to be within reach.
struct Server::Peer {
  Endpoint endpoint;
  Reach reach = Reach::denied;
};

}  // namespace turnpike::turn
