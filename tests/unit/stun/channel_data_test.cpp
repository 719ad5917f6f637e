#include "turnpike/stun/channel_data.hpp"

#include <catch2/catch.hpp>

#include "unit/stun/raw_message.hpp"

namespace turnpike::stun {
namespace {

using test::Octets;
using test::operator""_hex;
using test::to_hex;

TEST_CASE("a channel number is 0x4000 to 0x7FFF, of which RFC 8656 kept the first quarter", "[stun]") {
  for (std::uint32_t number = 0; number <= 0xFFFF; ++number) {
    const auto channel = ChannelNumber::from_wire(static_cast<std::uint16_t>(number));
    const bool allowed = number >= 0x4000 && number <= 0x7FFF;
    if (channel && channel->is_rfc8656() != (number <= 0x4FFF)) FAIL("not " << number);
    if (channel.has_value() != allowed || (channel && channel->value() != number)) FAIL("not " << number);
  }
  CHECK(*ChannelNumber::from_wire(0x4000) < *ChannelNumber::from_wire(0x4001));
}

TEST_CASE("the first octet distinguishes ChannelData", "[stun]") {
  CHECK_FALSE(looks_like_channel_data({}));
  for (std::uint32_t first = 0; first <= 0xFF; ++first) {
    const auto octet = static_cast<std::uint8_t>(first);
    if (looks_like_channel_data(Bytes(&octet, 1)) != (first >= 0x40 && first <= 0x7F)) FAIL("not " << first);
  }
}

TEST_CASE("ChannelData is read when all of its payload is there", "[stun]") {
  struct Case {
    const char* what;
    Bytes datagram;
    std::uint16_t channel;  // 0: dropped
    std::string_view payload;
  };
  const Case cases[] = {
      {"nothing", {}, 0, ""},
      {"less than a header", "400000"_hex, 0, ""},
      {"no payload", "4000 0000"_hex, 0x4000, ""},
      {"one octet", "4000 0001 61"_hex, 0x4000, "61"},
      {"one octet, padded", "4000 0001 61000000"_hex, 0x4000, "61"},
      {"padding that is not zero", "4000 0001 61ffffff"_hex, 0x4000, "61"},
      {"no payload, and more than padding", "4000 0000 61626364 65"_hex, 0x4000, ""},
      {"four octets", "4000 0004 61626364"_hex, 0x4000, "61626364"},
      {"five octets, four there", "4000 0005 61626364"_hex, 0, ""},
      {"35,510 octets, three there", "4000 8ab6 616263"_hex, 0, ""},
      {"65,535 octets, none there", "4000 ffff"_hex, 0, ""},
      {"channel 0x0000", "0000 0001 61"_hex, 0, ""},
      {"channel 0x3FFF", "3fff 0001 61"_hex, 0, ""},
      {"channel 0x4FFF", "4fff 0001 61"_hex, 0x4FFF, "61"},
      {"channel 0x5000", "5000 0001 61"_hex, 0x5000, "61"},
      {"channel 0x7FFF", "7fff 0001 61"_hex, 0x7FFF, "61"},
      {"channel 0x8000", "8000 0001 61"_hex, 0, ""},
      {"channel 0xFFFF", "ffff 0001 61"_hex, 0, ""},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    const Octets datagram = test::copy(c.datagram);
    const std::optional<ChannelData> parsed = ChannelData::parse(datagram);
    REQUIRE(parsed.has_value() == (c.channel != 0));
    if (!parsed) continue;
    CHECK(parsed->channel.value() == c.channel);
    CHECK(to_hex(parsed->payload) == c.payload);
    CHECK(parsed->payload.data() == datagram.data() + kChannelDataHeaderSize);
  }
}

TEST_CASE("a header that is written is read", "[stun]") {
  for (const std::size_t size : {0U, 1U, 4U, 1200U, 65535U}) {
    CAPTURE(size);
    Octets datagram(kChannelDataHeaderSize + size);
    ChannelData::write_header(*ChannelNumber::from_wire(0x4ABC), size, datagram.data());
    const std::optional<ChannelData> parsed = ChannelData::parse(datagram);
    REQUIRE(parsed);
    CHECK(parsed->channel.value() == 0x4ABC);
    CHECK(parsed->payload.size() == size);
  }
}

}  // namespace
}  // namespace turnpike::stun
