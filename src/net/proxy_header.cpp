#include "net/proxy_header.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace turnpike::net {
namespace {

constexpr ProxyHeader kIncomplete{};
constexpr ProxyHeader kInvalid{.kind = ProxyHeader::Kind::invalid, .client = {}, .size = 0};

// Returns whether `received` and `mark` are equal in the length of the shorter one.
bool begins_like(Bytes received, std::string_view mark) {
  const std::size_t size = std::min(received.size(), mark.size());
  return as_text(received.first(size)) == mark.substr(0, size);
}

// --- Version 1: a line of text

constexpr std::string_view kTextMark = "PROXY ";
constexpr std::size_t kMaxLine = 107;

std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [parsed_to, error] = std::from_chars(text.data(), end, port);
  const bool padded = text.size() > 1 && text.front() == '0';
  if (error != std::errc{} || parsed_to != end || padded) return std::nullopt;
  return port;
}

// Parses the rest of the line after "PROXY ", without the line end.
ProxyHeader parse_line(std::string_view line) {
  const std::string_view protocol = take_word(line);
  if (protocol == "UNKNOWN") return {.kind = ProxyHeader::Kind::local, .client = {}, .size = 0};
  if (protocol != "TCP4" && protocol != "TCP6") return kInvalid;
  const Family family = protocol == "TCP4" ? Family::ipv4 : Family::ipv6;
  const std::optional<IpAddress> client = IpAddress::parse(take_word(line));
  const std::optional<IpAddress> server = IpAddress::parse(take_word(line));
  const std::optional<std::uint16_t> client_port = parse_port(take_word(line));
  const std::optional<std::uint16_t> server_port = parse_port(line);
  if (!client || !server || !client_port || !server_port) return kInvalid;
  if (client->family() != family || server->family() != family) return kInvalid;
  return {.kind = ProxyHeader::Kind::proxied, .client = {unmapped(*client), *client_port, 0}, .size = 0};
}

ProxyHeader parse_text(Bytes received) {
  const std::string_view text = as_text(received.first(std::min(received.size(), kMaxLine)));
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return text.size() < kMaxLine ? kIncomplete : kInvalid;
  if (end < kTextMark.size() || text[end - 1] != '\r') return kInvalid;
  ProxyHeader header = parse_line(text.substr(kTextMark.size(), end - 1 - kTextMark.size()));
  if (header.kind != ProxyHeader::Kind::invalid) header.size = end + 1;
  return header;
}

// --- Version 2: signature, version and command, family and protocol, length, addresses, optional fields

constexpr std::string_view kBinaryMark("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedSize = 16;

constexpr std::uint8_t kLocal = 0x20;  // version 2 and command LOCAL
constexpr std::uint8_t kProxy = 0x21;
constexpr std::uint8_t kUnspecified = 0x00;  // family and protocol, four bits each
constexpr std::uint8_t kIpv4 = 0x10;
constexpr std::uint8_t kIpv6 = 0x20;
constexpr std::uint8_t kUnix = 0x30;

enum class Protocol : std::uint8_t { stream = 1, datagram = 2 };

ProxyHeader proxied(Bytes addresses, Family family, std::size_t size) {
  const std::size_t width = family == Family::ipv4 ? 4 : 16;
  if (addresses.size() < 2 * width + 4) return kInvalid;
  const IpAddress client = IpAddress::from_bytes(family, addresses.first(width));
  return {.kind = ProxyHeader::Kind::proxied,
          .client = {unmapped(client), load_u16(&addresses[2 * width]), 0},
          .size = size};
}

ProxyHeader parse_binary(Bytes received, Protocol protocol) {
  if (received.size() < kFixedSize) return kIncomplete;
  const std::uint8_t command = received[12];
  if (command != kLocal && command != kProxy) return kInvalid;
  const std::size_t size = kFixedSize + load_u16(&received[14]);
  if (size > kMaxProxyHeaderSize) return kInvalid;
  if (received.size() < size) return kIncomplete;
  if (command == kLocal) return {.kind = ProxyHeader::Kind::local, .client = {}, .size = size};
  const Bytes addresses = received.subspan(kFixedSize, size - kFixedSize);
  if (received[13] == kUnspecified) return {.kind = ProxyHeader::Kind::local, .client = {}, .size = size};
  switch (received[13] - static_cast<int>(protocol)) {
    case kIpv4: return proxied(addresses, Family::ipv4, size);
    case kIpv6: return proxied(addresses, Family::ipv6, size);
    case kUnix: return {.kind = ProxyHeader::Kind::local, .client = {}, .size = size};
    default: return kInvalid;
  }
}

// Returns the IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2); an IPv6 address is returned unchanged.
std::array<std::uint8_t, 16> mapped(const IpAddress& address) {
  if (!address.is_v4()) return address.storage();
  std::array<std::uint8_t, 16> bytes{};
  bytes[10] = bytes[11] = 0xFF;
  std::ranges::copy(address.bytes(), bytes.begin() + 12);
  return bytes;
}

}  // namespace

ProxyHeader parse_proxy_header(Bytes received) {
  if (received.empty()) return kIncomplete;
  if (begins_like(received, kTextMark)) {
    return received.size() < kTextMark.size() ? kIncomplete : parse_text(received);
  }
  return begins_like(received, kBinaryMark) ? parse_binary(received, Protocol::stream) : kInvalid;
}

std::optional<ProxyHeader> find_proxy_header(Bytes datagram) {
  const bool is_text = datagram.size() >= kTextMark.size() && begins_like(datagram, kTextMark);
  const bool is_binary = datagram.size() >= kBinaryMark.size() && begins_like(datagram, kBinaryMark);
  if (!is_text && !is_binary) return std::nullopt;
  const ProxyHeader header = is_text ? parse_text(datagram) : parse_binary(datagram, Protocol::datagram);
  return header.kind == ProxyHeader::Kind::incomplete ? kInvalid : header;
}

std::vector<std::uint8_t> make_proxy_header(const Endpoint& client, const Endpoint& server) {
  const bool both_v4 = client.address.is_v4() && server.address.is_v4();
  const std::size_t addresses = both_v4 ? 2 * 4 + 4 : 2 * 16 + 4;
  std::vector<std::uint8_t> header(kFixedSize + addresses);
  ByteWriter writer(header);
  writer.bytes(as_bytes(kBinaryMark));
  writer.u8(kProxy);
  writer.u8(
      static_cast<std::uint8_t>((both_v4 ? kIpv4 : kIpv6) | static_cast<std::uint8_t>(Protocol::stream)));
  writer.u16(static_cast<std::uint16_t>(addresses));
  for (const Endpoint* endpoint : {&client, &server}) {
    if (both_v4) {
      writer.bytes(endpoint->address.bytes());
    } else {
      writer.bytes(mapped(endpoint->address));
    }
  }
  writer.u16(client.port);
  writer.u16(server.port);
  return header;
}

}  // namespace turnpike::net
