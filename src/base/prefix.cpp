#include "turnpike/base/prefix.hpp"

#include <algorithm>

namespace turnpike {

std::string to_string(const Prefix& prefix) {
  return prefix.address.to_string() + '/' + std::to_string(prefix.length);
}

bool contains(const Prefix& prefix, const IpAddress& address) {
  if (prefix.address.family() != address.family()) return false;
  for (unsigned i = 0; i < prefix.length; ++i) {
    if (prefix.address.bit(i) != address.bit(i)) return false;
  }
  return true;
}

IpAddress source_block(const IpAddress& address) {
  if (address.is_v4()) return address;
  std::array<std::uint8_t, 16> block = address.storage();
  std::fill(block.begin() + 8, block.end(), std::uint8_t{0});
  return IpAddress::v6(block);
}

}  // namespace turnpike
