// The messages about rooms between the nodes of a cluster, as JSON. A node parses them as data of a stranger:
// a text that does not have exactly this form gives nothing.
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
  std::string node;            // the name of the node that has written the message
  std::string run;             // names the start of that node; see name_run()
  std::uint64_t number = 0;    // see Freshness
  std::uint64_t sequence = 0;  // the number of `changes` messages of this run so far, including this one
  std::vector<signaling::Presence> changes{};
  signaling::Outgoing said{};  // the event or the mark
  std::string origin{};        // for a mark: the name of the node that has sent it first
};

std::string to_json(const RoomMessage& message);
std::optional<RoomMessage> parse_room_message(std::string_view text);

std::string to_json(const signaling::Presence& presence);
std::optional<signaling::Presence> parse_presence(std::string_view text);

// An event for a member that is kept until the member comes back.
struct KeptEvent {
  std::string node;          // the node that has written it
  std::uint64_t number = 0;  // see Freshness
  std::shared_ptr<const signaling::Event> event;
};

std::string to_json(const KeptEvent& kept);
std::optional<KeptEvent> parse_kept_event(std::string_view text);

}  // namespace turnpike::cluster
