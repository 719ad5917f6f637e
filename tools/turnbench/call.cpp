#include "turnbench/call.hpp"

#include <algorithm>

namespace turnpike::bench {
namespace {

using std::chrono::nanoseconds;

// Returns a number that looks random and depends only on the arguments (SplitMix64 of Steele, Lea and Flood).
std::uint64_t scatter(std::uint32_t flow, std::uint32_t n) {
  std::uint64_t z = (std::uint64_t{flow} << 32 | n) * 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

nanoseconds scatter(std::uint32_t flow, Media media, nanoseconds interval) {
  // No frame has one of these numbers.
  const std::uint32_t n = 0xFFFFFFFF - static_cast<std::uint32_t>(media);
  return nanoseconds(scatter(flow, n) % static_cast<std::uint64_t>(interval.count()));
}

}  // namespace

CallSchedule::CallSchedule(std::span<const std::uint32_t> flows) {
  for (const std::uint32_t flow : flows) {
    const nanoseconds audio = scatter(flow, Media::audio, kAudioInterval);
    slots_.push_back({audio, flow, Media::audio});
    slots_.push_back({audio + kAudioInterval, flow, Media::audio});
    slots_.push_back({scatter(flow, Media::video, kFrameInterval), flow, Media::video});
  }
  std::ranges::sort(slots_, {}, &Slot::offset);
}

CallSchedule::Burst CallSchedule::next() const {
  const Slot& slot = slots_[slot_];
  Burst burst{frame_ * nanoseconds(kFrameInterval) + slot.offset, slot.flow, slot.media};
  if (slot.media == Media::video)
    burst.size =
        kMinFrame + static_cast<std::uint32_t>(scatter(slot.flow, frame_) % (kMaxFrame - kMinFrame + 1));
  return burst;
}

void CallSchedule::advance() {
  if (++slot_ < slots_.size()) return;
  slot_ = 0;
  ++frame_;
}

}  // namespace turnpike::bench
