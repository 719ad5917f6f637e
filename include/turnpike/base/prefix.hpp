// A block of addresses in CIDR form.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "turnpike/base/endpoint.hpp"

namespace turnpike {

// Bits beyond `length` are zero.
struct Prefix {
  IpAddress address;
  std::uint8_t length = 0;  // 0 to 32 or 128

  friend bool operator==(const Prefix&, const Prefix&) = default;
  friend std::strong_ordering operator<=>(const Prefix&, const Prefix&) = default;
};

// "10.20.0.0/16".
std::string to_string(const Prefix& prefix);

bool contains(const Prefix& prefix, const IpAddress& address);

// What counts as one source where sources are limited: an IPv4 address, or the /64 of an IPv6 one, all of
// which is one subscriber's.
IpAddress source_block(const IpAddress& address);

}  // namespace turnpike
