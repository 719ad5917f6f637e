// This is the chat of a first lesson in WebSockets, at the path "/". The server sends each text to every
// client, also to its sender. {"type":"nickname","payload":NAME} sets the name of the sender, and
// {"type":"new_message","payload":TEXT} sends "NAME: TEXT". The server answers an invalid name with
// {"type":"error",...}, which only the sender gets. A client whose token names a room hears only clients with
// the same room. Clients whose tokens name no room, or who need no token, form one group.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "turnpike/signaling/hub.hpp"

namespace turnpike::signaling {

class CourseChat {
 public:
  struct Output {
    std::shared_ptr<const std::string> text;  // null: nothing to send
    std::vector<ConnectionId> to;
  };

  // Adds a connection. `room` is the room that its token names, or nothing when the token names none.
  void on_open(ConnectionId connection, const std::optional<std::string>& room);
  Output on_text(ConnectionId connection, std::string_view text);
  void on_closed(ConnectionId connection);

 private:
  using Room = std::optional<std::string>;
  struct Member {
    std::string nickname;
    Room room;
  };

  std::unordered_map<ConnectionId, Member> members_;
  std::map<Room, std::set<ConnectionId>> rooms_;
};

}  // namespace turnpike::signaling
