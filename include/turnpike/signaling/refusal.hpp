// Why a request was not carried out, in the words that clients are told. One list for all protocols.
#pragma once

#include <cstdint>
#include <string_view>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::signaling {

enum class Refusal : std::uint8_t {
  bad_message,     // no JSON object, or one that lacks what its type needs
  unknown_type,    // a type that no request has
  not_joined,      // asks for what only a member of a room may do
  already_joined,  // in a room already
  room_full,
  too_many_rooms,   // were opened from the address of this member
  too_many_joined,  // rooms that this member is in
  bad_room,         // a room name that is too long, empty or no clean text
  bad_name,         // likewise the name of a member, which may be empty
  no_name,          // an empty name where there has to be one
  servers_event,    // an event that only the server says
  no_such_peer,     // nobody of that id shares a room with the sender
  too_large,        // for members of other nodes
  token_required,
  token_invalid,
  token_expired,
  token_not_yet_valid,
  token_revoked,
  rate_limited,
  resume_unknown,  // nobody to come back as: two minutes have gone by, or the server was restarted
};

// "room-full": stays the same on the outside.
std::string_view code_of(Refusal refusal);
// A sentence for people.
std::string_view message_of(Refusal refusal);
// The key of the configuration that decides, such as "signaling.members_per_room". Empty where the operator
// has no say, since the client's own message is at fault.
std::string_view key_of(Refusal refusal);

// A refusal that the operator may want to know of: whoever calls the protocols writes it to the log.
struct Refused {
  Refusal why = Refusal::bad_message;
  IpAddress client;
};

}  // namespace turnpike::signaling
