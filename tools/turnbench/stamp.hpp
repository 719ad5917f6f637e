// The first octets of every payload: the flow, the number in the flow, and the time of sending.
#pragma once

#include <cstdint>
#include <cstring>

#include "turnpike/base/bytes.hpp"

namespace turnpike::bench {

// The stamp has the machine's byte order, since the same process writes and reads it.
struct Stamp {
  std::uint32_t run = 0;     // random; datagrams of earlier runs are ignored
  std::uint32_t flow = 0;    // twice the index of the lane, plus 1 for peer → client
  std::uint64_t number = 0;  // in the flow, from 0
  std::int64_t sent_ns = 0;  // by the steady clock

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
