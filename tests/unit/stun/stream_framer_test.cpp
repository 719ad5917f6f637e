#include "turnpike/stun/stream_framer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/message.hpp"
#include "unit/stun/raw_message.hpp"

namespace turnpike::stun {
namespace {

using test::concat;
using test::copy;
using test::Octets;
using test::operator""_hex;
using test::to_hex;

Octets channel_data(std::size_t payload_size) {
  Octets message(kChannelDataHeaderSize + payload_size, 'x');
  ChannelData::write_header(*ChannelNumber::from_wire(0x4000), payload_size, message.data());
  return message;
}

struct Message {
  std::string what;
  Frame::Kind kind;
  Octets octets;  // without padding

  Octets on_the_wire() const {
    return concat({octets, "000000"_hex.first(padded(octets.size()) - octets.size())});
  }
};

std::vector<Message> messages() {
  const Octets nonsense = test::raw_message("0006ffff"_hex, 0x3FFF);
  std::vector<Message> all = {
      {"RFC 5769 2.1", Frame::Kind::stun, copy(test::kSampleRequest)},
      {"no attributes", Frame::Kind::stun, test::raw_message({})},
      {"RFC 8489 B.1", Frame::Kind::stun, copy(test::kLongTermSha256Request)},
      {"nonsense with a good header", Frame::Kind::stun, nonsense},
  };
  for (std::size_t size = 0; size <= 8; ++size)
    all.push_back({"ChannelData of " + std::to_string(size), Frame::Kind::channel_data, channel_data(size)});
  return all;
}

// Does what a connection does: keeps an incomplete message, and takes out the complete ones.
class Receiver {
 public:
  void receive(Bytes octets) {
    kept_.insert(kept_.end(), octets.begin(), octets.end());
    std::size_t at = 0;
    for (;;) {
      const Octets rest = copy(Bytes(kept_).subspan(at));
      const Frame frame = next_frame(rest);
      if (frame.kind == Frame::Kind::incomplete) {
        needed_ = frame.consumed;
        break;
      }
      REQUIRE(frame.kind != Frame::Kind::invalid);
      frames_.push_back(to_hex(frame.message));
      at += frame.consumed;
    }
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  std::size_t missing() const { return needed_ - kept_.size(); }
  const std::vector<std::string>& frames() const { return frames_; }
  bool at_end() const { return kept_.empty(); }

 private:
  Octets kept_;
  std::vector<std::string> frames_;
  std::size_t needed_ = kChannelDataHeaderSize;
};

TEST_CASE("a whole message is found where it starts", "[stun]") {
  for (const Message& m : messages()) {
    INFO(m.what);
    const Octets wire = m.on_the_wire();
    const Frame frame = next_frame(wire);
    CHECK(frame.kind == m.kind);
    CHECK(to_hex(frame.message) == to_hex(m.octets));
    CHECK(frame.message.data() == wire.data());
    CHECK(frame.consumed == wire.size());
  }
}

TEST_CASE("a message cut short anywhere says how much it needs", "[stun]") {
  for (const Message& m : messages()) {
    const Octets wire = m.on_the_wire();
    std::size_t needed = 0;
    for (std::size_t size = 0; size < wire.size(); ++size) {
      INFO(m.what << ", " << size << " octets");
      const Octets start = copy(Bytes(wire).first(size));
      const Frame frame = next_frame(start);
      CHECK(frame.kind == Frame::Kind::incomplete);
      CHECK(frame.message.empty());
      CHECK(frame.consumed == (size < 4 ? 4 : wire.size()));
      CHECK(frame.consumed > size);
      CHECK(frame.consumed >= needed);
      needed = frame.consumed;
    }
  }
}

struct Stream {
  Octets octets;
  std::vector<std::string> expected;
};

Stream all_messages() {
  Stream stream;
  for (const Message& m : messages()) {
    stream.octets = concat({stream.octets, m.on_the_wire()});
    stream.expected.push_back(to_hex(m.octets));
  }
  return stream;
}

TEST_CASE("messages are found however the stream is cut", "[stun]") {
  const Stream stream = all_messages();
  const Bytes octets = stream.octets;

  Receiver at_once;
  at_once.receive(octets);
  CHECK(at_once.frames() == stream.expected);
  CHECK(at_once.at_end());

  for (std::size_t chunk = 1; chunk <= 40; ++chunk) {
    Receiver by_chunks;
    for (std::size_t at = 0; at < octets.size(); at += chunk)
      by_chunks.receive(octets.subspan(at, std::min(chunk, octets.size() - at)));
    if (by_chunks.frames() != stream.expected || !by_chunks.at_end()) FAIL("in chunks of " << chunk);
  }
  for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
    Receiver twice;
    twice.receive(octets.first(cut));
    twice.receive(octets.subspan(cut));
    if (twice.frames() != stream.expected || !twice.at_end()) FAIL("cut at " << cut);
  }
}

TEST_CASE("reading what is asked for and no more finds every message", "[stun]") {
  const Stream stream = all_messages();
  Receiver receiver;
  for (std::size_t at = 0; at < stream.octets.size();) {
    const std::size_t missing = receiver.missing();
    REQUIRE(missing > 0);
    REQUIRE(missing <= stream.octets.size() - at);
    receiver.receive(Bytes(stream.octets).subspan(at, missing));
    at += missing;
  }
  CHECK(receiver.frames() == stream.expected);
}

TEST_CASE("a stream that starts with neither kind cannot be followed", "[stun]") {
  struct Case {
    const char* what;
    Bytes received;
    Frame::Kind kind;
  };
  const Case cases[] = {
      {"nothing", {}, Frame::Kind::incomplete},
      {"an octet that may be STUN", "3f"_hex, Frame::Kind::incomplete},
      {"an octet that may be ChannelData", "4f"_hex, Frame::Kind::incomplete},
      {"the last octet that may be ChannelData", "7f"_hex, Frame::Kind::incomplete},
      {"the first octet that is neither, 0x80", "80"_hex, Frame::Kind::invalid},
      {"0xFF", "ff"_hex, Frame::Kind::invalid},
      {"HTTP", "474554202f20485454502f312e310d0a"_hex, Frame::Kind::incomplete},  // "GE" is a channel
      {"a TLS hello", "16030100"_hex, Frame::Kind::incomplete},
      {"a TLS hello with its next four octets", "16030100 f0010000"_hex, Frame::Kind::invalid},
      {"a length of 1", "00010001"_hex, Frame::Kind::invalid},
      {"a length of 2", "00010002"_hex, Frame::Kind::invalid},
      {"a length of 3", "00010003"_hex, Frame::Kind::invalid},
      {"a length of 65,535", "0001ffff"_hex, Frame::Kind::invalid},
      {"a length of 65,532", "0001fffc"_hex, Frame::Kind::incomplete},
      {"seven octets with half a cookie", "00010000 000000"_hex, Frame::Kind::incomplete},
      {"a wrong cookie", "00010000 2112a443"_hex, Frame::Kind::invalid},
      {"a wrong cookie behind a length that is yet to come", "0001fffc 00000000"_hex, Frame::Kind::invalid},
      {"a wrong cookie in a whole message", "00010000 2112a4ff b7e7a701 bc34d686 fa87dfae"_hex,
       Frame::Kind::invalid},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    const Octets received = copy(c.received);
    const Frame frame = next_frame(received);
    CHECK(frame.kind == c.kind);
    CHECK(frame.message.empty());
    CHECK((frame.consumed > received.size()) == (c.kind == Frame::Kind::incomplete));
  }
}

TEST_CASE("ChannelData that claims 35,510 octets is waited for", "[stun]") {
  const Frame frame = next_frame("4000 8ab6 616263"_hex);
  CHECK(frame.kind == Frame::Kind::incomplete);
  CHECK(frame.consumed == 4 + 35512);
}

TEST_CASE("the longest messages of both kinds fit in a frame", "[stun]") {
  const Octets stun = test::with_attribute(test::raw_message({}), 0x0013, Octets(65528));
  const Octets channel = concat({channel_data(65535), "00"_hex});
  for (const Octets& longest : {stun, channel}) {
    const Frame frame = next_frame(longest);
    CHECK(frame.kind != Frame::Kind::incomplete);
    CHECK(frame.consumed == longest.size());
    CHECK(frame.consumed <= kMaxFrameSize);
  }
  CHECK(kMaxFrameSize == std::max(stun.size(), channel.size()));
}

}  // namespace
}  // namespace turnpike::stun
