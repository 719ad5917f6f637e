// What members of rooms tell each other, and what they are told about each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/signaling/member_id.hpp"

namespace turnpike::signaling {

// What one member says to others.
struct MemberMessage {
  using Attachment = std::shared_ptr<const std::string>;

  MemberMessage(std::string_view json) : payload(json) {}    // NOLINT(google-explicit-constructor)
  MemberMessage(const char* json) : payload(json) {}         // NOLINT(google-explicit-constructor)
  MemberMessage(const std::string& json) : payload(json) {}  // NOLINT(google-explicit-constructor)

  std::string payload;  // JSON, as the sender wrote it
  std::string event;    // the name of the Socket.IO event; empty means the default name
  // The further arguments of the Socket.IO event as JSON, with a comma before each.
  std::string more_arguments;
  bool anonymous = false;               // Socket.IO passes the event on without the id of the sender
  std::vector<Attachment> attachments;  // octets that the payload has placeholders for

  // The number of octets in all parts.
  std::size_t size() const {
    std::size_t size = payload.size() + event.size() + more_arguments.size();
    for (const Attachment& attachment : attachments) size += attachment->size();
    return size;
  }
};

struct Event {
  enum class Kind : std::uint8_t { peer_joined, peer_left, peer_renamed, signal, broadcast };
  Kind kind = Kind::signal;
  std::string room;  // empty for a signal
  MemberId from;
  std::string name;  // the name of `from`; for peer_renamed, the new name
  std::string role;  // the role of `from`; only for peer_joined
  MemberMessage message{std::string_view()};
  std::size_t present = 0;  // of peer_joined and peer_left: how many are in the room now
  bool lost = false;        // for peer_left: the member was cut off and did not leave by itself

  // Whether a member has said it. The other events tell what has happened to members.
  bool is_message() const { return kind == Kind::signal || kind == Kind::broadcast; }
};

}  // namespace turnpike::signaling
