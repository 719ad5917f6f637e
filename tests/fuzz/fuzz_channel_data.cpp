// Compares ChannelData::parse with the rules of RFC 8656 §12.4, and with the framer, which reads the same
// messages from a stream.
#include "fuzz/expect.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/stream_framer.hpp"

namespace turnpike::fuzz {
namespace {

using stun::ChannelData;
using stun::Frame;
using stun::kChannelDataHeaderSize;

void check(Bytes datagram) {
  const std::optional<ChannelData> parsed = ChannelData::parse(datagram);
  const bool has_header = datagram.size() >= kChannelDataHeaderSize;
  const std::size_t claimed = has_header ? load_u16(&datagram[2]) : 0;
  const bool should_parse = has_header && stun::looks_like_channel_data(datagram) &&
                            kChannelDataHeaderSize + claimed <= datagram.size();
  expect(parsed.has_value() == should_parse,
         "a datagram is read when it has a channel and its whole payload");

  const Frame frame = stun::next_frame(datagram);
  if (!parsed) {
    expect(frame.kind != Frame::Kind::channel_data, "the framer finds no ChannelData that parse refuses");
    return;
  }
  expect(lies_inside(parsed->payload, datagram), "the payload lies in the datagram");
  expect(parsed->payload.size() == claimed, "the payload is as long as the header says");

  std::uint8_t header[kChannelDataHeaderSize];
  ChannelData::write_header(parsed->channel, parsed->payload.size(), header);
  expect(same(header, datagram.first(kChannelDataHeaderSize)), "the header is written as it was read");

  // On a stream the padding belongs to the message, so without it the framer waits.
  const std::size_t size = kChannelDataHeaderSize + claimed;
  if (datagram.size() < (size + 3) / 4 * 4) {
    expect(frame.kind == Frame::Kind::incomplete, "the framer waits for the padding");
    return;
  }
  expect(frame.kind == Frame::Kind::channel_data, "the framer finds what parse reads");
  const std::optional<ChannelData> framed = ChannelData::parse(frame.message);
  expect(framed && framed->channel == parsed->channel && same(framed->payload, parsed->payload),
         "a frame holds the same channel and payload");
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  turnpike::fuzz::check({data, size});
  return 0;
}
