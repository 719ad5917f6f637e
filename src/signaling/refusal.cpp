#include "turnpike/signaling/refusal.hpp"

namespace turnpike::signaling {
namespace {

struct Words {
  std::string_view code;
  std::string_view message;
};

Words words_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::bad_message: return {"bad-message", "This is not a message of the protocol."};
    case Refusal::unknown_type: return {"unknown-type", "No message has this type."};
    case Refusal::not_joined: return {"not-joined", "Join a room first."};
    case Refusal::already_joined: return {"already-joined", "Leave the room first."};
    case Refusal::room_full: return {"room-full", "The room is full."};
    case Refusal::too_many_rooms:
      return {"too-many-rooms", "This address has opened too many rooms already."};
    case Refusal::too_many_joined: return {"too-many-rooms", "Leave another room first."};
    case Refusal::bad_room:
      return {"bad-room",
              "A room has a name of 1 to 64 characters, without characters for control or text direction."};
    case Refusal::bad_name:
      return {"bad-name", "A name has at most 64 characters, and none for control or text direction."};
    case Refusal::no_name: return {"bad-name", "A name has at least one character."};
    case Refusal::servers_event: return {"servers-event", "Only the server may send this event."};
    case Refusal::no_such_peer: return {"no-such-peer", "No member of the room has this id."};
    case Refusal::too_large:
      return {"too-large", "This message is too long for the other servers of the cluster."};
    case Refusal::too_much_attached: return {"message", "The attachments of this event are too long."};
    case Refusal::token_required: return {"token-required", "This server requires a token."};
    case Refusal::token_invalid: return {"token-invalid", "The token is not valid here."};
    case Refusal::token_expired: return {"token-expired", "The token has expired."};
    case Refusal::token_not_yet_valid: return {"token-not-yet-valid", "The token is not valid yet."};
    case Refusal::token_revoked: return {"token-revoked", "The token was revoked."};
    case Refusal::rate_limited:
      return {"rate-limited", "Too many requests from this address; try again soon."};
    case Refusal::resume_unknown: return {"resume-unknown", "There is nothing to resume; join again."};
  }
  return {"error", ""};
}

}  // namespace

std::string_view code_of(Refusal refusal) { return words_of(refusal).code; }

std::string_view message_of(Refusal refusal) { return words_of(refusal).message; }

std::string_view key_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::room_full: return "signaling.members_per_room";
    case Refusal::too_many_rooms: return "signaling.rooms_per_address";
    case Refusal::too_much_attached: return "signaling.max_payload";
    case Refusal::token_required: return "signaling.access";
    case Refusal::token_invalid:
    case Refusal::token_expired:
    case Refusal::token_not_yet_valid: return "signaling.token_secrets";
    case Refusal::token_revoked: return "turnpikectl revoke";
    case Refusal::rate_limited: return "signaling.credentials_per_second";
    default: return {};
  }
}

}  // namespace turnpike::signaling
