// What the operator says about signaling. Plain data, filled by config/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "turnpike/base/time.hpp"

namespace turnpike::signaling {

// 0 means no limit.
struct Limits {
  std::uint32_t members_per_room = 16;
  std::uint32_t rooms_per_member = 16;
  std::uint32_t rooms_per_address = 100;  // open at one time, by who opened them
  // One that was cut off comes back with all it missed, or not at all.
  std::uint32_t missed_messages = 256;
  std::uint32_t missed_bytes = 256 << 10;
};

// Whom signaling serves.
enum class Access : std::uint8_t {
  open,   // everybody who can reach it
  token,  // who brings a JSON Web Token that one of the secrets signed
};

// What becomes of Socket.IO's events.
enum class Preset : std::uint8_t {
  course,  // rooms, nicknames, offers and chat, as front ends of WebRTC courses have them
  echo,    // what public test suites of the protocol expect; for tests alone
  none,    // no Socket.IO
};

struct TokenParams {
  Access access = Access::open;
  std::vector<std::string> secrets;  // HS256 keys; several, for rotation
};

}  // namespace turnpike::signaling
