// The load balancers in front of a listener. They write the address of each client in a header of the PROXY
// protocol. A listener that has load balancers refuses all other sources.
#pragma once

#include <algorithm>
#include <vector>

#include "turnpike/base/prefix.hpp"

namespace turnpike::relay {

inline bool is_any_of(const std::vector<Prefix>& prefixes, const IpAddress& address) {
  return std::ranges::any_of(prefixes, [&](const Prefix& prefix) { return contains(prefix, address); });
}

// The load balancers of a UDP listener.
struct Balancers {
  std::vector<Prefix> addresses{};
  // Whether only the first datagram of a client has the header; otherwise each datagram has it.
  bool header_on_first_only = false;
};

}  // namespace turnpike::relay
