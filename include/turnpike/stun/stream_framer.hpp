// Finds the messages in a byte stream: STUN and ChannelData as they follow one another on TCP and TLS
// (RFC 8489 §6.2.2, RFC 8656 §12.5). It looks and never buffers; the caller keeps what is not yet whole.
#pragma once

#include <cstddef>
#include <cstdint>

#include "turnpike/base/bytes.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::stun {

// The longest STUN message is longer than the longest ChannelData, which has 4 + 65,535 bytes and one of
// padding.
inline constexpr std::size_t kMaxFrameSize = kMaxMessageSize;

struct Frame {
  enum class Kind : std::uint8_t {
    incomplete,    // read on until `consumed` bytes are there, and ask again
    stun,          // a STUN message by its header; MessageView::parse judges the rest
    channel_data,  // ChannelData without its padding
    invalid,       // neither: the stream cannot be followed any more and must be closed
  };

  Kind kind = Kind::incomplete;
  Bytes message;  // stun and channel_data: views the stream's first bytes
  std::size_t consumed =
      0;  // stun and channel_data: how far the next message is; incomplete: how much is needed
};

// Looks at the first message of what was received and not yet consumed.
Frame next_frame(Bytes received);

}  // namespace turnpike::stun
