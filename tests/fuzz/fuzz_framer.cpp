// A byte stream that is cut at arbitrary places must give the same messages as in one piece. The input's
// first octet seeds the cuts, and the rest is the stream. The stream is also read as one that begins with a
// PROXY header, and as a datagram that does.
#include <algorithm>
#include <optional>
#include <vector>

#include "fuzz/expect.hpp"
#include "net/proxy_header.hpp"
#include "turnpike/stun/stream_framer.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::fuzz {
namespace {

using stun::Frame;

// The place of a message in the stream.
struct Found {
  Frame::Kind kind;
  std::size_t at;
  std::size_t size;

  friend bool operator==(const Found&, const Found&) = default;
};

Frame checked_frame(Bytes received) {
  const Frame frame = stun::next_frame(received);
  switch (frame.kind) {
    case Frame::Kind::incomplete:
      expect(frame.message.empty(), "there is no message yet");
      expect(frame.consumed > received.size(), "what is needed is more than what is there");
      expect(frame.consumed <= stun::kMaxFrameSize, "what is needed fits in a frame");
      break;
    case Frame::Kind::invalid:
      expect(!received.empty() && frame.message.empty(), "an octet is to blame");
      break;
    case Frame::Kind::stun:
      expect(frame.message.size() >= stun::kHeaderSize, "a STUN message has a header");
      expect(frame.message.size() == frame.consumed, "a STUN message has no padding");
      expect(load_u32(&frame.message[4]) == stun::kMagicCookie, "a STUN message has the cookie");
      break;
    case Frame::Kind::channel_data:
      expect((frame.message[0] & 0xC0) == 0x40, "ChannelData has a channel");
      expect(frame.message.size() <= frame.consumed && frame.consumed - frame.message.size() < 4,
             "ChannelData has up to three octets of padding");
      break;
  }
  if (!frame.message.empty()) {
    expect(frame.message.data() == received.data(), "a message starts the stream");
    expect(frame.consumed > 0 && frame.consumed <= received.size(), "what is consumed was there");
    expect(frame.consumed % 4 == 0, "the next message starts at a multiple of four");
  }
  return frame;
}

// Takes out messages until one is incomplete. Returns false when the stream is invalid.
bool take_messages(Bytes stream, std::size_t& at, std::vector<Found>& found) {
  for (;;) {
    const Frame frame = checked_frame(stream.subspan(at));
    if (frame.kind == Frame::Kind::incomplete) return true;
    if (frame.kind == Frame::Kind::invalid) return false;
    found.push_back({frame.kind, at, frame.message.size()});
    at += frame.consumed;
  }
}

void check_prefixes(Bytes stream) {
  const Frame whole = checked_frame(stream);
  std::size_t needed = 0;
  for (std::size_t size = 0; size < std::min<std::size_t>(stream.size(), 64); ++size) {
    const Frame start = checked_frame(stream.first(size));
    if (start.kind == Frame::Kind::incomplete) {
      expect(start.consumed >= needed, "what is needed never shrinks");
      needed = start.consumed;
    } else {
      expect(start.kind == whole.kind && start.consumed == whole.consumed &&
                 start.message.size() == whole.message.size(),
             "a verdict stands, whatever follows");
    }
  }
  if (whole.kind != Frame::Kind::invalid)
    expect(whole.consumed >= needed, "no more was asked for than it takes");
}

using net::ProxyHeader;

ProxyHeader checked_header(Bytes received) {
  const ProxyHeader header = net::parse_proxy_header(received);
  const bool whole = header.kind == ProxyHeader::Kind::local || header.kind == ProxyHeader::Kind::proxied;
  expect(whole == (header.size > 0), "a whole header has a size");
  expect(header.size <= received.size() && header.size <= net::kMaxProxyHeaderSize, "a header was there");
  if (header.kind == ProxyHeader::Kind::incomplete) {
    expect(received.size() < net::kMaxProxyHeaderSize, "nothing longer than a header is waited for");
  }
  return header;
}

// Checks the same stream behind a load balancer.
void check_proxy_header(std::uint8_t seed, Bytes stream) {
  const ProxyHeader whole = checked_header(stream);
  for (std::size_t size = 0; size < stream.size(); size += 1 + seed % 8) {
    const ProxyHeader start = checked_header(stream.first(size));
    if (start.kind == ProxyHeader::Kind::incomplete) continue;
    expect(start.kind == whole.kind && start.size == whole.size && start.client == whole.client,
           "a verdict stands, whatever follows");
  }
}

// Checks the same octets as a datagram of a load balancer.
void check_datagram_header(Bytes datagram) {
  const std::optional<ProxyHeader> header = net::find_proxy_header(datagram);
  if (!header) return;
  expect(header->kind != ProxyHeader::Kind::incomplete, "a datagram is whole");
  expect((header->kind == ProxyHeader::Kind::invalid) == (header->size == 0), "a whole header has a size");
  expect(header->size <= datagram.size() && header->size <= net::kMaxProxyHeaderSize, "a header was there");
  expect(datagram[0] == '\r' || datagram[0] == 'P', "neither STUN, ChannelData nor DTLS begins so");
}

void check(std::uint8_t seed, Bytes stream) {
  check_proxy_header(seed, stream);
  check_datagram_header(stream);
  check_prefixes(stream);

  std::vector<Found> at_once;
  std::size_t at = 0;
  const bool followed = take_messages(stream, at, at_once);

  std::vector<Found> by_chunks;
  std::size_t taken = 0;
  bool follows = true;
  std::uint32_t cuts = seed;
  for (std::size_t size = 0; follows && size < stream.size();) {
    cuts = cuts * 1664525 + 1013904223;
    size = std::min<std::size_t>(stream.size(), size + 1 + (cuts >> 24) % (seed + 1U));
    follows = take_messages(stream.first(size), taken, by_chunks);
  }
  expect(followed == follows, "a stream that can be followed in one piece can be followed in many");
  expect(at_once == by_chunks && at == taken, "the cuts change no message");
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) turnpike::fuzz::check(data[0], {data + 1, size - 1});
  return 0;
}
