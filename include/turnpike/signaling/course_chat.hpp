// The chat of a first lesson in WebSockets: one room for all, at the path "/". A text goes to everybody, its
// sender included; {"type":"nickname","payload":NAME} gives a name, {"type":"new_message","payload":TEXT}
// sends "NAME: TEXT". A name that is none is answered with {"type":"error",...}, to its sender alone.
#pragma once

#include <memory>
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

  void on_open(ConnectionId connection) { nicknames_[connection] = "Anon"; }
  Output on_text(ConnectionId connection, std::string_view text);
  void on_closed(ConnectionId connection) { nicknames_.erase(connection); }

 private:
  std::unordered_map<ConnectionId, std::string> nicknames_;
};

}  // namespace turnpike::signaling
