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

// Writes it in CIDR form, as in "10.20.0.0/16".
std::string to_string(const Prefix& prefix);

bool contains(const Prefix& prefix, const IpAddress& address);

// The block that counts as one source where sources are limited: an IPv4 address, or the /64 of an IPv6
// address, since one subscriber usually has a whole /64.
IpAddress source_block(const IpAddress& address);

}  // namespace turnpike
