// A request during its processing: the message, its sender, and how the answer is signed and sent.
#pragma once

#include <optional>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/turn/allocation.hpp"

namespace turnpike::turn {

// The result of a check: the error to answer with, or nothing when the check was passed.
using Check = std::optional<stun::ErrorCode>;

struct Request {
  const FiveTuple& tuple;
  const stun::MessageView& message;
  TimePoint now;
  Allocation* allocation = nullptr;                    // that of the 5-tuple, or null
  std::optional<auth::Authenticated> authenticated{};  // absent: the answer is not signed
  bool had_valid_nonce = false;          // otherwise the answer is charged to its source address
  bool has_expired = false;              // the credentials were valid and have expired
  std::optional<FiveTuple> answer_to{};  // set when it is not `tuple` (RFC 5780)
  std::optional<Endpoint> peer{};        // set when the message no longer has it; as the client named it

  std::optional<Bytes> find(stun::AttributeType type) const { return message.find(type); }
  bool has(stun::AttributeType type) const { return message.has(type); }
  // The request must be authenticated.
  const auth::Identity& sender() const { return authenticated->identity; }
};

}  // namespace turnpike::turn
