#include "turnpike/stun/stream_framer.hpp"

#include "turnpike/stun/channel_data.hpp"

namespace turnpike::stun {
namespace {

Frame whole(Frame::Kind kind, Bytes received, std::size_t size, std::size_t size_with_padding) {
  if (received.size() < size_with_padding) return {Frame::Kind::incomplete, {}, size_with_padding};
  return {kind, received.first(size), size_with_padding};
}

Frame stun_frame(Bytes received) {
  const std::size_t length = load_u16(&received[2]);
  if (length % 4 != 0) return {Frame::Kind::invalid, {}, 0};
  // A wrong cookie ends the stream at once, before up to 64 KiB of other data are read as a message.
  if (received.size() >= 8 && load_u32(&received[4]) != kMagicCookie) return {Frame::Kind::invalid, {}, 0};
  return whole(Frame::Kind::stun, received, kHeaderSize + length, kHeaderSize + length);
}

}  // namespace

Frame next_frame(Bytes received) {
  if (received.empty()) return {Frame::Kind::incomplete, {}, kChannelDataHeaderSize};
  const bool is_stun = (received[0] & 0xC0) == 0;
  if (!is_stun && !looks_like_channel_data(received)) return {Frame::Kind::invalid, {}, 0};
  if (received.size() < kChannelDataHeaderSize) return {Frame::Kind::incomplete, {}, kChannelDataHeaderSize};
  if (is_stun) return stun_frame(received);
  const std::size_t size = kChannelDataHeaderSize + load_u16(&received[2]);
  return whole(Frame::Kind::channel_data, received, size, padded(size));
}

}  // namespace turnpike::stun
