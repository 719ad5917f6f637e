// ChannelData messages: four bytes in front of the payload instead of a STUN header and two attributes
// (RFC 8656 §12.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "turnpike/base/bytes.hpp"

namespace turnpike::stun {

inline constexpr std::size_t kChannelDataHeaderSize = 4;

// A channel number: 0x4000 to 0x4FFF (RFC 8656 §12). Clients of RFC 5766 use numbers up to 0x7FFF (§11), so
// those are accepted too.
class ChannelNumber {
 public:
  static constexpr std::optional<ChannelNumber> from_wire(std::uint16_t number) {
    if (number < 0x4000 || number > 0x7FFF) return std::nullopt;
    return ChannelNumber(number);
  }

  constexpr std::uint16_t value() const { return number_; }
  constexpr bool is_rfc8656() const { return number_ <= 0x4FFF; }
  friend constexpr auto operator<=>(ChannelNumber, ChannelNumber) = default;

 private:
  explicit constexpr ChannelNumber(std::uint16_t number) : number_(number) {}
  std::uint16_t number_;
};

// The first two bits tell ChannelData from STUN (RFC 5766 §11).
inline bool looks_like_channel_data(Bytes datagram) {
  return !datagram.empty() && (datagram[0] & 0xC0) == 0x40;
}

// Views the datagram that was parsed.
struct ChannelData {
  ChannelNumber channel;
  Bytes payload;

  // Nothing unless the whole payload is there. Octets after the payload are padding (RFC 8656 §12.5).
  static std::optional<ChannelData> parse(Bytes datagram) {
    if (datagram.size() < kChannelDataHeaderSize) return std::nullopt;
    const std::optional<ChannelNumber> channel = ChannelNumber::from_wire(load_u16(datagram.data()));
    const std::size_t size = load_u16(&datagram[2]);
    if (!channel || size > datagram.size() - kChannelDataHeaderSize) return std::nullopt;
    return ChannelData{*channel, datagram.subspan(kChannelDataHeaderSize, size)};
  }

  // Writes the four bytes that precede `payload_size` bytes of payload (at most 65,535).
  static void write_header(ChannelNumber channel, std::size_t payload_size, std::uint8_t* out) {
    store_u16(out, channel.value());
    store_u16(out + 2, static_cast<std::uint16_t>(payload_size));
  }
};

}  // namespace turnpike::stun
