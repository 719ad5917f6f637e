// The part of the configuration about signaling. It is plain data, which config/ fills.
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
  std::uint32_t rooms_per_address = 100;  // rooms that exist at one time and were opened from one address
  // What is kept for a member that is cut off. A member that misses more cannot come back.
  std::uint32_t missed_messages = 256;
  std::uint32_t missed_bytes = 256 << 10;
};

// Whom signaling serves.
enum class Access : std::uint8_t {
  open,   // everybody who can reach it
  token,  // clients with a JSON Web Token that was signed with one of the secrets
};

// The meaning of Socket.IO's events.
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
