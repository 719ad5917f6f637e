#include "turnpike/signaling/engine_io_queue.hpp"

#include <utility>

namespace turnpike::signaling {

void EngineIoQueue::push(EngineIoPacket packet) {
  bytes_ += packet.data.size();
  packets_.push_back(std::move(packet));
  note_excess();
}

bool EngineIoQueue::is_too_long() const {
  return has_excess() && (common_.excess > kMaxExcess || bytes_ > kMaxBursts * common_.max_waiting ||
                          packets_.size() > kMaxBursts * common_.max_packets);
}

std::string EngineIoQueue::take_payload() {
  std::string payload;
  std::size_t bytes = 0;
  auto next = packets_.begin();
  for (; next != packets_.end(); ++next) {
    if (next != packets_.begin() && bytes + next->data.size() > common_.max_waiting) break;
    bytes += next->data.size();
    append_to_payload(payload, *next);
  }
  packets_.erase(packets_.begin(), next);
  bytes_ -= bytes;
  note_excess();
  return payload;
}

std::vector<EngineIoPacket> EngineIoQueue::take_all() {
  std::vector<EngineIoPacket> packets = std::exchange(packets_, {});
  bytes_ = 0;
  note_excess();
  return packets;
}

void EngineIoQueue::note_excess() {
  const auto beyond = [](std::size_t count, std::size_t most) { return count > most ? count - most : 0; };
  common_.excess -= excess_;
  excess_ = beyond(bytes_, common_.max_waiting) +
            beyond(packets_.size(), common_.max_packets) * sizeof(EngineIoPacket);
  common_.excess += excess_;
}

}  // namespace turnpike::signaling
