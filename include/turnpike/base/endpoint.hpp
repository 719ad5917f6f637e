// An IP address, an endpoint (an address with a port), and the 5-tuple by which a TURN server identifies its
// client. They are plain values: small, comparable, and independent of any socket interface.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "turnpike/base/bytes.hpp"

namespace turnpike {

// The values are those of the STUN address family field (RFC 8489 §14.1).
enum class Family : std::uint8_t { ipv4 = 1, ipv6 = 2 };

// An IPv4 address fills the first four bytes and leaves the others zero, so that equality and hashing look at
// the same 17 bytes for both families. `::ffff:1.2.3.4` stays an IPv6 address here; only PeerPolicy treats it
// as IPv4.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v4(const std::array<std::uint8_t, 4>& bytes);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);
  // `bytes` holds 4 or 16 octets, matching `family`.
  static IpAddress from_bytes(Family family, Bytes bytes);
  // Accepts what inet_pton accepts; no brackets, no zone.
  static std::optional<IpAddress> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::ipv4; }
  // 4 or 16 octets; lives as long as this object.
  Bytes bytes() const { return Bytes(bytes_).first(is_v4() ? 4 : 16); }
  // All 16 octets, zero-filled for IPv4.
  const std::array<std::uint8_t, 16>& storage() const { return bytes_; }

  // The bit at this index; bit 0 is the most significant one.
  bool bit(unsigned index) const { return (bytes_[index / 8] >> (7 - index % 8) & 1) != 0; }

  bool is_unspecified() const {
    std::uint64_t words[2];
    std::memcpy(words, bytes_.data(), sizeof words);
    return (words[0] | words[1]) == 0;
  }
  bool is_loopback() const;
  bool is_link_local() const;
  bool is_multicast() const;

  std::string to_string() const;

  // Compares two words instead of 16 bytes, because every packet's look-ups compare addresses.
  friend bool operator==(const IpAddress& a, const IpAddress& b) {
    std::uint64_t x[2];
    std::uint64_t y[2];
    std::memcpy(x, a.bytes_.data(), sizeof x);
    std::memcpy(y, b.bytes_.data(), sizeof y);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0 && a.family_ == b.family_;
  }
  friend std::strong_ordering operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  Family family_ = Family::ipv4;
};

// Returns the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2), and any other address
// unchanged.
IpAddress unmapped(const IpAddress& address);

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;   // host order
  std::uint32_t scope = 0;  // interface index; only for link-local IPv6, else 0

  Family family() const { return address.family(); }
  // "192.0.2.1:3478" or "[2001:db8::1]:3478".
  std::string to_string() const;
  // The inverse of to_string(); a port is required.
  static std::optional<Endpoint> parse(std::string_view text);

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend std::strong_ordering operator<=>(const Endpoint&, const Endpoint&) = default;
};

// The protocol between client and server (RFC 8656 §3.1). Between the server and the peer it is always UDP,
// except for the TCP allocations of RFC 6062.
enum class Transport : std::uint8_t { udp, tcp, tls, dtls };

// The name in URLs, logs and metrics.
constexpr std::string_view to_string(Transport transport) {
  switch (transport) {
    case Transport::udp: return "udp";
    case Transport::tcp: return "tcp";
    case Transport::tls: return "tls";
    case Transport::dtls: return "dtls";
  }
  return "unknown";
}

// All of them. Their values are their indices here.
inline constexpr std::array kTransports{Transport::udp, Transport::tcp, Transport::tls, Transport::dtls};
static_assert(to_string(static_cast<Transport>(kTransports.size())) == "unknown",
              "kTransports needs each transport");
static_assert(
    [] {
      for (std::size_t i = 0; i < kTransports.size(); ++i) {
        if (kTransports[i] != static_cast<Transport>(i)) return false;
      }
      return true;
    }(),
    "kTransports has the order of the enumerators");

// Whether messages follow one another in a byte stream that loses nothing.
constexpr bool is_stream(Transport transport) {
  switch (transport) {
    case Transport::tcp:
    case Transport::tls: return true;
    case Transport::udp:
    case Transport::dtls: return false;
  }
  return false;
}

// Whether every client of this transport has proved that it receives what is sent to its address, as the
// handshakes of TCP and the cookie of DTLS do. Answers to others are limited, so that nobody can use this
// server to flood an address that he forges.
constexpr bool proves_address(Transport transport) {
  switch (transport) {
    case Transport::udp: return false;
    case Transport::tcp:
    case Transport::tls:
    case Transport::dtls: return true;
  }
  return false;
}

// What a client comes by: its connection or DTLS association, and for UDP the listener with the flow of a
// load balancer. relay/ gives these out and finds the place in them; everywhere else they are only compared.
enum class PathId : std::uint64_t {};

// The path of a client by UDP that comes to a listener directly.
constexpr PathId path_of_listener(std::uint32_t listener) { return PathId{listener}; }

// The 5-tuple of RFC 8656 §2: the transport addresses of the client and the server, and the protocol
// between them. It also has the client's path, since the kernel reuses a 5-tuple after its connection has
// ended, and since load balancers can bring one client in several ways.
struct FiveTuple {
  Endpoint client;
  Endpoint server;
  Transport transport = Transport::udp;
  PathId path{};

  friend bool operator==(const FiveTuple&, const FiveTuple&) = default;
};

}  // namespace turnpike
