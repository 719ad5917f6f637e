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
struct Saying {
  using Attachment = std::shared_ptr<const std::string>;

  Saying(std::string_view json) : payload(json) {}    // NOLINT(google-explicit-constructor)
  Saying(const char* json) : payload(json) {}         // NOLINT(google-explicit-constructor)
  Saying(const std::string& json) : payload(json) {}  // NOLINT(google-explicit-constructor)

  std::string payload;     // JSON, as the sender wrote it
  std::string event;       // what protocols that name their events call it; empty: what they call by default
  std::string rest;        // further arguments in such a protocol: JSON, each after a comma
  bool anonymous = false;  // such a protocol passes it on without the sender's id
  std::vector<Attachment> attachments;  // octets that the payload has placeholders for
};

struct Event {
  enum class Kind : std::uint8_t { peer_joined, peer_left, peer_renamed, signal, broadcast };
  Kind kind = Kind::signal;
  std::string room;  // empty for a signal
  MemberId from;
  std::string name;  // of `from`; its new one when it has just got one
  std::string role;  // likewise, told on joining
  Saying saying{std::string_view()};
  std::size_t present = 0;  // of peer_joined and peer_left: how many are in the room now
  bool lost = false;        // of peer_left: cut off, not gone by itself
};

}  // namespace turnpike::signaling
