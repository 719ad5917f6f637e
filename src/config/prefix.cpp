#include "config/prefix.hpp"

#include <algorithm>

#include "config/text.hpp"

namespace turnpike::config {

std::optional<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::optional<IpAddress> address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::uint8_t longest = address->is_v4() ? 32 : 128;
  if (slash == text.size()) return Prefix{*address, longest};
  const std::optional<std::uint32_t> length = parse_number(text.substr(slash + 1));
  if (!length || *length > longest) return std::nullopt;
  return Prefix{*address, static_cast<std::uint8_t>(*length)};
}

Prefix without_host_bits(const Prefix& prefix) {
  std::array<std::uint8_t, 16> bytes = prefix.address.storage();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int kept_bits = std::clamp(prefix.length - static_cast<int>(8 * i), 0, 8);
    bytes[i] &= static_cast<std::uint8_t>(0xff << (8 - kept_bits));
  }
  return {IpAddress::from_bytes(prefix.address.family(), bytes), prefix.length};
}

bool contains(const Prefix& outer, const Prefix& inner) {
  return outer.address.family() == inner.address.family() && outer.length <= inner.length &&
         without_host_bits({inner.address, outer.length}) == outer;
}

bool is_v4_mapped(const IpAddress& address) {
  static const Prefix mapped = *parse_prefix("::ffff:0:0/96");
  return contains(mapped, {address, 128});
}

bool is_host_address(const IpAddress& address) {
  const bool needs_interface = !address.is_v4() && address.is_link_local();
  return !address.is_unspecified() && !address.is_multicast() && !is_v4_mapped(address) && !needs_interface;
}

}  // namespace turnpike::config
