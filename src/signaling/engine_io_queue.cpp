#include "turnpike/signaling/engine_io_queue.hpp"

#include <algorithm>
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
  std::size_t count = 0;
  for (; count < packets_.size(); ++count) {
    const EngineIoPacket& next = packets_[count];
    if (count > 0 && bytes + next.data.size() > common_.max_waiting) break;
    bytes += next.data.size();
    append_to_payload(payload, next);
  }
  remove(count, bytes);
  return payload;
}

std::vector<EngineIoPacket> EngineIoQueue::take_part() {
  constexpr std::size_t kOverhead = 2;
  const std::size_t most = std::min<std::size_t>(packets_.size(), std::max(common_.max_packets / 2, 1U));
  std::vector<EngineIoPacket> part;
  std::size_t bytes = 0;
  while (part.size() < most) {
    EngineIoPacket& next = packets_[part.size()];
    const std::size_t counted = bytes + next.data.size() + (part.size() + 1) * kOverhead;
    if (!part.empty() && counted > common_.max_waiting / 2) break;
    bytes += next.data.size();
    part.push_back(std::move(next));
  }
  remove(part.size(), bytes);
  return part;
}

void EngineIoQueue::clear() { remove(packets_.size(), bytes_); }

void EngineIoQueue::remove(std::size_t count, std::size_t bytes) {
  packets_.erase(packets_.begin(), packets_.begin() + static_cast<std::ptrdiff_t>(count));
  bytes_ -= bytes;
  note_excess();
}

void EngineIoQueue::note_excess() {
  const auto beyond = [](std::size_t count, std::size_t most) { return count > most ? count - most : 0; };
  common_.excess -= excess_;
  excess_ = beyond(bytes_, common_.max_waiting) +
            beyond(packets_.size(), common_.max_packets) * sizeof(EngineIoPacket);
  common_.excess += excess_;
}

}  // namespace turnpike::signaling
