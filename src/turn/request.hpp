// A request on its way through the server: what it is, whom it is from, and how its answer is to be signed.
#pragma once

#include <optional>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/turn/allocation.hpp"

namespace turnpike::turn {

// A check's outcome: the error to answer with, or nothing when the request has passed.
using Check = std::optional<stun::ErrorCode>;

struct Request {
  const FiveTuple& tuple;
  const stun::MessageView& message;
  TimePoint now;
  Allocation* allocation = nullptr;                    // of this 5-tuple, if there is one
  std::optional<auth::Authenticated> authenticated{};  // absent: the answer is not signed
  bool had_valid_nonce = false;                        // else the answer counts against the source's limit
  bool has_expired = false;                            // the credentials, which were right once
  std::optional<FiveTuple> answer_to{};                // where that is not `tuple` (RFC 5780)

  std::optional<Bytes> find(stun::AttributeType type) const { return message.find(type); }
  bool has(stun::AttributeType type) const { return message.has(type); }
  // Of a request that is authenticated.
  const auth::Identity& sender() const { return authenticated->identity; }
};

}  // namespace turnpike::turn
