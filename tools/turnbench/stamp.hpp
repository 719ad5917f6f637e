// The first bytes of every payload: which flow it belongs to, its number in that flow and when it was sent.
#pragma once

#include <cstdint>
#include <cstring>

#include "turnpike/base/bytes.hpp"

namespace turnpike::bench {

// In the machine's byte order: who writes it also reads it.
struct Stamp {
  std::uint32_t run = 0;     // random; datagrams of another run on reused ports do not count
  std::uint32_t flow = 0;    // index of the lane, doubled, plus 1 for peer → client
  std::uint64_t number = 0;  // in its flow, from 0
  std::int64_t sent_ns = 0;  // steady clock

  static Stamp read(Bytes payload) {
    Stamp stamp;
    std::memcpy(&stamp, payload.data(), sizeof stamp);
    return stamp;
  }
};

inline constexpr std::size_t kStampSize = sizeof(Stamp);
inline constexpr std::size_t kMaxBurst = 64;
static_assert(kStampSize == 24);

}  // namespace turnpike::bench
