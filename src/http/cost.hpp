// What messages cost, by which clients are held to a rate (see SourcePace): each message that a client sends,
// and each that this server sends for it, to whomever.
#pragma once

#include <cstddef>
#include <cstdint>

namespace turnpike::http {

// In bytes. A message of one byte is a message too: it is parsed, queued and written with a system call of
// its own.
inline std::uint64_t cost_of_message(std::size_t size) {
  constexpr std::uint64_t kCostOfAny = 512;
  return kCostOfAny + size;
}

}  // namespace turnpike::http
