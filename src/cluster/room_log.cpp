#include "cluster/room_log.hpp"

#include <utility>

namespace turnpike::cluster {

RoomLog::RoomLog(const OwnNode& own, Write info, Write warn, Counter& refused)
    : own_(own), info_(std::move(info)), warn_(std::move(warn)), refused_(refused) {}

void RoomLog::refuse(std::string_view key) {
  refuse(Warning::ignored, "the text at " + std::string(key) +
                               " in Redis is not signed with our secret, or is malformed: it is ignored");
}

bool RoomLog::refuse(Warning kind, const std::string& why) {
  ++refused_;
  if (take_due_warning(kind)) warn("cluster: " + why);
  return false;
}

bool RoomLog::take_due_warning(Warning kind) {
  SteadyTime& next = next_warning_[static_cast<std::size_t>(kind)];
  const SteadyTime now = own_.clock().steady;
  if (now < next) return false;
  next = now + kBetweenWarnings;
  return true;
}

}  // namespace turnpike::cluster
