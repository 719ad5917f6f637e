#include "turnpike/base/shown_address.hpp"

#include <algorithm>
#include <atomic>

#include "turnpike/base/prefix.hpp"

namespace turnpike {
namespace {

std::atomic<ShownAddresses> shown_addresses{ShownAddresses::full};

bool shows_prefixes() { return shown_addresses.load(std::memory_order_relaxed) == ShownAddresses::prefix; }

std::string network_of(const IpAddress& address) {
  constexpr std::size_t kOctetsV4 = 3;
  constexpr std::size_t kOctetsV6 = 6;
  const std::size_t kept = address.is_v4() ? kOctetsV4 : kOctetsV6;
  std::array<std::uint8_t, 16> bytes = address.storage();
  std::fill(bytes.begin() + kept, bytes.end(), std::uint8_t{0});
  const IpAddress network =
      IpAddress::from_bytes(address.family(), Bytes(bytes).first(address.bytes().size()));
  return to_string(Prefix{network, static_cast<std::uint8_t>(8 * kept)});
}

}  // namespace

void show_addresses(ShownAddresses shown) { shown_addresses.store(shown, std::memory_order_relaxed); }

std::string shown_address(const Endpoint& endpoint) {
  return shows_prefixes() ? network_of(endpoint.address) : endpoint.to_string();
}

std::string shown_address(const IpAddress& address) {
  return shows_prefixes() ? network_of(address) : address.to_string();
}

}  // namespace turnpike
