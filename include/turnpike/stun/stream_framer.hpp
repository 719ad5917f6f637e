// Finds the messages in a byte stream: STUN and ChannelData messages follow one another on TCP and TLS (RFC
// 8489 §6.2.2, RFC 8656 §12.5). It does not buffer; the caller keeps the octets of an incomplete message.
#pragma once

#include <cstddef>
#include <cstdint>

#include "turnpike/base/bytes.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::stun {

// The longest frame is a STUN message. The longest ChannelData has 4 + 65,535 bytes and one byte of padding.
inline constexpr std::size_t kMaxFrameSize = kMaxMessageSize;

struct Frame {
  enum class Kind : std::uint8_t {
    incomplete,    // read until `consumed` bytes are there, then call again
    stun,          // the header is a STUN header; MessageView::parse checks the rest
    channel_data,  // ChannelData, without its padding
    invalid,       // neither: the stream has lost its framing and must be closed
  };

  Kind kind = Kind::incomplete;
  Bytes message;  // stun and channel_data: views the first bytes of the stream
  // stun and channel_data: the offset of the next message. incomplete: the number of bytes that are needed.
  std::size_t consumed = 0;
};

// Looks at the first message of the octets that were received and not yet consumed.
Frame next_frame(Bytes received);

}  // namespace turnpike::stun
