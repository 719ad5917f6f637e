#include "turnpike/base/endpoint.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace turnpike {

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress a;
  store_u32(a.bytes_.data(), host_order);
  return a;
}

IpAddress IpAddress::v4(const std::array<std::uint8_t, 4>& bytes) { return from_bytes(Family::ipv4, bytes); }

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) { return from_bytes(Family::ipv6, bytes); }

IpAddress IpAddress::from_bytes(Family family, Bytes bytes) {
  IpAddress a;
  a.family_ = family;
  std::copy_n(bytes.begin(), std::min(bytes.size(), a.bytes().size()), a.bytes_.begin());
  return a;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return std::nullopt;  // inet_pton would stop there
  IpAddress a;
  if (inet_pton(AF_INET, copy.c_str(), a.bytes_.data()) == 1) return a;
  a.family_ = Family::ipv6;
  if (inet_pton(AF_INET6, copy.c_str(), a.bytes_.data()) == 1) return a;
  return std::nullopt;
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t b) { return b == 0; }) &&
         bytes_[15] == 1;
}

bool IpAddress::is_link_local() const {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_multicast() const { return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff; }

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

std::string Endpoint::to_string() const {
  const std::string host = address.is_v4() ? address.to_string() : '[' + address.to_string() + ']';
  return host + ':' + std::to_string(port);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);

  std::uint16_t port = 0;
  const char* end = port_text.data() + port_text.size();
  const auto [parsed_to, error] = std::from_chars(port_text.data(), end, port);
  if (error != std::errc{} || parsed_to != end) return std::nullopt;

  const std::optional<IpAddress> address = IpAddress::parse(host);
  if (!address || address->is_v4() == bracketed) return std::nullopt;
  return Endpoint{*address, port};
}

IpAddress unmapped(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  const Bytes bytes = address.bytes();
  if (address.is_v4() || !std::ranges::equal(bytes.first(12), kMapped)) return address;
  return IpAddress::from_bytes(Family::ipv4, bytes.subspan(12));
}

}  // namespace turnpike
