// The traffic of video calls: when each flow sends audio and frames of video, and how large a frame is. All
// of it is the same in every run.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "turnbench/stamp.hpp"

namespace turnpike::bench {

enum class Media : std::uint8_t { audio, video };

inline constexpr std::array<std::uint32_t, 2> kMediaSizes{160, 1100};  // payload bytes, by Media
inline constexpr std::chrono::milliseconds kAudioInterval{20};
inline constexpr std::chrono::milliseconds kFrameInterval{40};
inline constexpr std::uint32_t kMinFrame = 5;  // datagrams
inline constexpr std::uint32_t kMaxFrame = 40;
static_assert(kMaxFrame <= kMaxBurst);
static_assert(kFrameInterval == 2 * kAudioInterval);

// All flows in the order of time, without end. Flows begin at any time, as calls do, so frames of several
// flows meet at the server.
class CallSchedule {
 public:
  // Consecutive datagrams of one flow.
  struct Burst {
    std::chrono::nanoseconds due{};  // since the beginning
    std::uint32_t flow = 0;
    Media media{};
    std::uint32_t size = 1;  // datagrams
  };

  // There must be at least one flow.
  explicit CallSchedule(std::span<const std::uint32_t> flows);

  Burst next() const;
  void advance();

 private:
  // Slots are the same in every interval between frames, except for the sizes of the frames.
  struct Slot {
    std::chrono::nanoseconds offset{};
    std::uint32_t flow = 0;
    Media media{};
  };

  std::vector<Slot> slots_;  // by offset
  std::size_t slot_ = 0;
  std::uint32_t frame_ = 0;
};

}  // namespace turnpike::bench
