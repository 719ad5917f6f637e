// Identifies the source of an event of a worker's epoll set, in the 64 bits that epoll stores with each
// descriptor: three bits for the kind, and 61 for a number whose meaning depends on the kind.
#pragma once

#include <cstdint>

#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::relay {

enum class EventKind : std::uint8_t {
  wake,               // the worker has to check whether it must stop
  mail,               // the mailbox
  datagram_listener,  // number: the index of the listener
  stream_listener,    // number: the index of the listener
  connection,         // a client by TCP or TLS; number: its number in the book
  handshakes,         // the set of the connections that are in a TLS handshake
  relay,              // a relayed address; see RelayEvent
  peer_connection,    // a TCP connection with a peer, or a data connection; see PeerConnectionEvent
  kinds,              // the number of kinds
};

struct EventTag {
  static constexpr int kNumberBits = 61;
  static_assert(static_cast<unsigned>(EventKind::kinds) <= 1U << (64 - kNumberBits), "a kind does not fit");

  EventKind kind = EventKind::wake;
  std::uint64_t number = 0;  // less than 2^kNumberBits

  constexpr std::uint64_t pack() const {
    return std::uint64_t{static_cast<std::uint8_t>(kind)} << kNumberBits | number;
  }
  static constexpr EventTag unpack(std::uint64_t bits) {
    return {static_cast<EventKind>(bits >> kNumberBits), bits & ((std::uint64_t{1} << kNumberBits) - 1)};
  }
};

// A relay has the number of its first socket, and may have a second one.
struct RelayEvent {
  static constexpr int kDescriptorBits = 30;  // of each; Linux allows a process 2^20 descriptors by default

  turn::RelayId relay{};
  int fd = 0;

  static constexpr bool fits(int fd) { return fd >> kDescriptorBits == 0; }
  constexpr EventTag tag() const {
    return {EventKind::relay, std::uint64_t{static_cast<std::uint32_t>(relay)} << kDescriptorBits |
                                  static_cast<std::uint32_t>(fd)};
  }
  static constexpr RelayEvent of(EventTag tag) {
    return {turn::RelayId(tag.number >> kDescriptorBits),
            static_cast<int>(tag.number & ((1U << kDescriptorBits) - 1))};
  }
};

// Which of the two ends of a relayed TCP connection (RFC 6062).
enum class Side : std::uint8_t { client = 0, peer = 1 };

struct PeerConnectionEvent {
  turn::ConnectionId id{};
  Side side = Side::peer;
  bool connecting = false;  // the connection with the peer is not open yet
  bool leaving = false;     // in Farewells; another connection may have the same number again

  constexpr EventTag tag() const {
    return {EventKind::peer_connection, std::uint64_t{static_cast<std::uint32_t>(id)} << 3 |
                                            std::uint64_t{leaving} << 2 | std::uint64_t{connecting} << 1 |
                                            static_cast<std::uint64_t>(side)};
  }
  static constexpr PeerConnectionEvent of(EventTag tag) {
    return {turn::ConnectionId(tag.number >> 3), static_cast<Side>(tag.number & 1), (tag.number & 2) != 0,
            (tag.number & 4) != 0};
  }
};

}  // namespace turnpike::relay
