#include "turnpike/stun/attributes.hpp"

#include <algorithm>

namespace turnpike::stun {
namespace {

// Decodes an attribute of four bytes of which only the first counts.
std::optional<std::uint8_t> first_of_four(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  return value[0];
}

}  // namespace

std::optional<Endpoint> decode_address(Bytes value) {
  if (value.size() < 4) return std::nullopt;
  const auto family = static_cast<Family>(value[1]);
  const bool is_v4 = family == Family::ipv4 && value.size() == 8;
  const bool is_v6 = family == Family::ipv6 && value.size() == 20;
  if (!is_v4 && !is_v6) return std::nullopt;
  return Endpoint{IpAddress::from_bytes(family, value.subspan(4)), load_u16(&value[2])};
}

std::optional<Endpoint> decode_xor_address(Bytes value, const TransactionId& transaction_id) {
  if (value.size() > 20) return std::nullopt;
  // The mask for the port is the first half of the cookie. The mask for the address is the cookie followed by
  // the transaction id.
  std::array<std::uint8_t, 16> mask;
  store_u32(mask.data(), kMagicCookie);
  std::copy(transaction_id.begin(), transaction_id.end(), mask.begin() + 4);
  std::array<std::uint8_t, 20> plain{};
  std::copy(value.begin(), value.end(), plain.begin());
  plain[2] ^= mask[0];
  plain[3] ^= mask[1];
  for (std::size_t i = 0; i < mask.size(); ++i) plain[4 + i] ^= mask[i];
  return decode_address(Bytes(plain).first(value.size()));
}

std::optional<std::chrono::seconds> decode_lifetime(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  return std::chrono::seconds(load_u32(value.data()));
}

std::optional<ChannelNumber> decode_channel_number(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  return ChannelNumber::from_wire(load_u16(value.data()));
}

std::optional<std::uint8_t> decode_requested_transport(Bytes value) { return first_of_four(value); }

std::optional<std::uint8_t> decode_address_family(Bytes value) { return first_of_four(value); }

std::optional<bool> decode_even_port(Bytes value) {
  if (value.size() != 1) return std::nullopt;
  return (value[0] & 0x80) != 0;
}

std::optional<ReservationToken> decode_reservation_token(Bytes value) {
  ReservationToken token;
  if (value.size() != token.size()) return std::nullopt;
  std::copy(value.begin(), value.end(), token.begin());
  return token;
}

std::optional<std::uint32_t> decode_connection_id(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  return load_u32(value.data());
}

std::optional<std::uint16_t> decode_password_algorithm(Bytes value) {
  if (value.size() != 4 || load_u16(&value[2]) != 0) return std::nullopt;
  return load_u16(value.data());
}

std::optional<ErrorCodeValue> decode_error_code(Bytes value) {
  if (value.size() < 4) return std::nullopt;
  const unsigned hundreds = value[2] & 0x07;
  const unsigned rest = value[3];
  if (hundreds < 3 || hundreds > 6 || rest > 99) return std::nullopt;
  return ErrorCodeValue{static_cast<std::uint16_t>(hundreds * 100 + rest), as_text(value.subspan(4))};
}

std::optional<Icmp> decode_icmp(Bytes value) {
  if (value.size() != 8) return std::nullopt;
  const std::uint16_t type_and_code = load_u16(&value[2]);
  return Icmp{static_cast<std::uint8_t>(type_and_code >> 9),
              static_cast<std::uint16_t>(type_and_code & 0x1FF), load_u32(&value[4])};
}

std::optional<ChangeRequest> decode_change_request(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  const std::uint32_t flags = load_u32(value.data());
  return ChangeRequest{(flags & kChangeIp) != 0, (flags & kChangePort) != 0};
}

std::optional<std::uint16_t> decode_response_port(Bytes value) {
  if (value.size() != 2 && value.size() != 4) return std::nullopt;
  return load_u16(value.data());
}

}  // namespace turnpike::stun
