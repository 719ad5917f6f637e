// What the nodes of a cluster write to each other about rooms, as JSON. Whoever reads it takes it for a
// stranger's: what is not exactly of this form is nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/signaling/presence.hpp"

namespace turnpike::cluster {

struct RoomMessage {
  enum class Kind : std::uint8_t {
    hello,    // a node has come, and wants to know who else is there
    alive,    // a node is there, every few seconds
    changes,  // of its members
    said,     // to members of the node that it is sent to
    mark,     // a mark for such a member, see signaling::Outgoing
  };

  Kind kind = Kind::alive;
  std::string node;            // that writes, by its name
  std::string run;             // of the node: another one after each start, see name_run
  std::uint64_t number = 0;    // see Freshness
  std::uint64_t sequence = 0;  // how many `changes` this run has written, with this one
  std::vector<signaling::Presence> changes{};
  signaling::Outgoing said{};  // likewise a mark
  std::string origin{};        // of a mark, by its name
};

std::string to_json(const RoomMessage& message);
std::optional<RoomMessage> parse_room_message(std::string_view text);

std::string to_json(const signaling::Presence& presence);
std::optional<signaling::Presence> parse_presence(std::string_view text);

// What was said to a member, where it is kept until the member comes back.
struct KeptEvent {
  std::string node;          // that keeps it
  std::uint64_t number = 0;  // see Freshness
  std::shared_ptr<const signaling::Event> event;
};

std::string to_json(const KeptEvent& kept);
std::optional<KeptEvent> parse_kept_event(std::string_view text);

}  // namespace turnpike::cluster
