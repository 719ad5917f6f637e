// The chat of a first lesson in WebSockets, at the path "/". A text goes to everybody, its sender included;
// {"type":"nickname","payload":NAME} gives a name, {"type":"new_message","payload":TEXT} sends "NAME: TEXT".
// A name that is none is answered with {"type":"error",...}, to its sender alone. Those whose tokens are for
// one room are among themselves; so are those whose tokens name none, and where no token is asked for that is
// everybody.
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

  // `room` is that of the connection's token; nothing where it names none.
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
