// The reasons for which a request is refused, with the codes and texts that clients get. All protocols use
// this list.
#pragma once

#include <cstdint>
#include <string_view>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::signaling {

enum class Refusal : std::uint8_t {
  bad_message,     // the message is not a JSON object, or a member that its type needs is missing
  unknown_type,    // a type that no request has
  not_joined,      // only a member of a room may do this
  already_joined,  // in a room already
  room_full,
  too_many_rooms,     // were opened from the address of this member
  too_many_joined,    // rooms that this member is in
  bad_room,           // the room name is empty or is not a name; see is_name()
  bad_name,           // the name of the member is not a name; it may be empty
  no_name,            // an empty name, although one is required
  servers_event,      // an event that only the server may send
  no_such_peer,       // nobody of that id shares a room with the sender
  too_large,          // the message is too large to be sent to members of other nodes
  too_much_attached,  // the attachments of an event are too long; only the log is told
  token_required,
  token_invalid,
  token_expired,
  token_not_yet_valid,
  token_revoked,
  rate_limited,
  resume_unknown,  // no such member to come back as: two minutes have passed, or the server was restarted
};

// The code that clients get, such as "room-full". Programs depend on it, so it must not change.
std::string_view code_of(Refusal refusal);
// A sentence for people.
std::string_view message_of(Refusal refusal);
// The configuration key that decides this, such as "signaling.members_per_room", or the command. Empty when
// nothing of the operator's does, because the message of the client is at fault.
std::string_view key_of(Refusal refusal);

// A refusal that may interest the operator. The caller of the protocols writes it to the log.
struct Refused {
  Refusal why = Refusal::bad_message;
  IpAddress client;
};

}  // namespace turnpike::signaling
