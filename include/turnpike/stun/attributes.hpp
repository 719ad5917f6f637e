// One decoder for the value of each attribute. Each takes the value without padding, and returns nothing when
// the value does not have the form that its RFC requires.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::stun {

// A plain address and port: MAPPED-ADDRESS and ALTERNATE-SERVER (RFC 8489 §14.1 and §14.15), RESPONSE-ORIGIN
// and OTHER-ADDRESS (RFC 5780 §7.3 and §7.4).
std::optional<Endpoint> decode_address(Bytes value);

// XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS (RFC 8489 §14.2, RFC 8656 §18.3 and §18.5).
std::optional<Endpoint> decode_xor_address(Bytes value, const TransactionId& transaction_id);

// LIFETIME in whole seconds (RFC 8656 §18.2).
std::optional<std::chrono::seconds> decode_lifetime(Bytes value);

// CHANNEL-NUMBER (RFC 8656 §18.1); nothing also for a number outside 0x4000 to 0x7FFF.
std::optional<ChannelNumber> decode_channel_number(Bytes value);

// REQUESTED-TRANSPORT: an IP protocol number (RFC 8656 §18.8).
std::optional<std::uint8_t> decode_requested_transport(Bytes value);

// REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY (RFC 8656 §18.6 and §18.11). Returns the octet as it
// was sent, since the answer to an unknown family is 440, not 400.
std::optional<std::uint8_t> decode_address_family(Bytes value);

// EVEN-PORT (RFC 8656 §18.7). Returns the R bit: whether the next higher port shall be reserved.
std::optional<bool> decode_even_port(Bytes value);

// RESERVATION-TOKEN (RFC 8656 §18.10).
using ReservationToken = std::array<std::uint8_t, 8>;
std::optional<ReservationToken> decode_reservation_token(Bytes value);

// CONNECTION-ID (RFC 6062 §6.2.1).
std::optional<std::uint32_t> decode_connection_id(Bytes value);

// PASSWORD-ALGORITHM (RFC 8489 §14.12). Returns the number of an algorithm without parameters, even if the
// number is unknown.
std::optional<std::uint16_t> decode_password_algorithm(Bytes value);

// ERROR-CODE (RFC 8489 §14.8). `reason` views the value.
struct ErrorCodeValue {
  std::uint16_t code = 0;  // 300 to 699
  std::string_view reason;
};
std::optional<ErrorCodeValue> decode_error_code(Bytes value);

// ICMP (RFC 8656 §18.13): the ICMP error for a datagram that was sent to a peer. `data` is the MTU for "too
// big", and 0 for all other types.
struct Icmp {
  std::uint8_t type = 0;   // 7 bits on the wire
  std::uint16_t code = 0;  // 9 bits on the wire
  std::uint32_t data = 0;

  friend bool operator==(const Icmp&, const Icmp&) = default;
};
std::optional<Icmp> decode_icmp(Bytes value);

// CHANGE-REQUEST (RFC 5780 §7.2): whether the answer shall come from another address or another port than the
// one that received the request.
struct ChangeRequest {
  bool ip = false;
  bool port = false;

  friend bool operator==(const ChangeRequest&, const ChangeRequest&) = default;
};
std::optional<ChangeRequest> decode_change_request(Bytes value);

// RESPONSE-PORT (RFC 5780 §7.5). The two octets of padding may be part of the value or follow it.
std::optional<std::uint16_t> decode_response_port(Bytes value);

}  // namespace turnpike::stun
