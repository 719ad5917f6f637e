// The cost of messages, by which the rate of each client address is limited (see SourcePace). Each message
// that a client sends is counted, and each message that this server sends because of it, to any client.
#pragma once

#include <cstddef>
#include <cstdint>

#include "turnpike/base/time.hpp"

namespace turnpike::http {

// The cost in bytes. Even a message of one byte has a cost: it is parsed, queued and written with a system
// call.
inline std::uint64_t cost_of_message(std::size_t size) {
  constexpr std::uint64_t kCostOfAny = 512;
  return kCostOfAny + size;
}

// The cost of a ping with its pong; that of a pong alone is the same, for simplicity.
inline std::uint64_t cost_of_control(std::size_t size) { return 2 * cost_of_message(size); }

// A client that has caused too much cost waits at most as long before its message is read; then it is
// refused.
inline constexpr Duration kMaxRest = std::chrono::seconds(5);

}  // namespace turnpike::http
