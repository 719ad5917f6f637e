// The load balancers in front of a listener, which say by the PROXY protocol whom they speak for. Where there
// are any, nobody else may come.
#pragma once

#include <algorithm>
#include <vector>

#include "turnpike/base/prefix.hpp"

namespace turnpike::relay {

inline bool is_any_of(const std::vector<Prefix>& prefixes, const IpAddress& address) {
  return std::ranges::any_of(prefixes, [&](const Prefix& prefix) { return contains(prefix, address); });
}

// In front of a listener by UDP.
struct Balancers {
  std::vector<Prefix> addresses{};
  // The header stands on the first datagram of a client's alone, and not on each.
  bool header_on_first_only = false;
};

}  // namespace turnpike::relay
