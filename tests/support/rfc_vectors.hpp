// The sample messages of RFC 5769 and RFC 8489 B.1 with their documented contents, and a literal for octets
// in hexadecimal: "2112 a442"_hex is a view that is valid for the whole life of the program.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "turnpike/base/bytes.hpp"

namespace turnpike::test {

// A string literal as a template argument. Spaces and line breaks between the digits are ignored.
template <std::size_t N>
struct HexText {
  char text[N]{};

  constexpr HexText(const char (&literal)[N]) { std::copy_n(literal, N, text); }

  static constexpr bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\0'; }

  static constexpr std::uint8_t digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    throw "not a lower-case hexadecimal digit";  // only at compile time, since decoding is constexpr
  }

  constexpr std::size_t size() const {
    const auto digits = static_cast<std::size_t>(
        std::count_if(std::begin(text), std::end(text), [](char c) { return !is_blank(c); }));
    if (digits % 2 != 0) throw "half an octet";
    return digits / 2;
  }
};

template <HexText text>
constexpr std::array<std::uint8_t, text.size()> decode_hex() {
  std::array<std::uint8_t, text.size()> octets{};
  std::size_t digits = 0;
  for (const char c : text.text) {
    if (HexText<1>::is_blank(c)) continue;
    octets[digits / 2] = static_cast<std::uint8_t>(octets[digits / 2] << 4 | HexText<1>::digit(c));
    ++digits;
  }
  return octets;
}

template <HexText text>
inline constexpr auto kOctets = decode_hex<text>();

template <HexText text>
constexpr Bytes operator""_hex() {
  return Bytes(kOctets<text>);
}

// The form in which tests compare octets, so that a failure shows them.
inline std::string to_hex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t b : bytes) {
    text += kDigits[b >> 4];
    text += kDigits[b & 0xF];
  }
  return text;
}

// RFC 5769 §2.1 to §2.3: short-term credentials; the padding is 0x20.
inline constexpr std::string_view kShortTermPassword = "VOkJxbRl1RmTxUk/WvJxBt";

// SOFTWARE "STUN test client", PRIORITY, ICE-CONTROLLED, USERNAME "evtj:h6vY".
inline constexpr Bytes kSampleRequest =
    "0001 0058 2112a442 b7e7a701 bc34d686 fa87dfae"
    "8022 0010 5354554e 20746573 7420636c 69656e74"
    "0024 0004 6e0001ff"
    "8029 0008 932ff9b1 51263b36"
    "0006 0009 6576746a 3a683676 59202020"
    "0008 0014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2"
    "8028 0004 e57a3bcf"_hex;

// SOFTWARE "test vector", XOR-MAPPED-ADDRESS 192.0.2.1:32853.
inline constexpr Bytes kSampleIpv4Response =
    "0101 003c 2112a442 b7e7a701 bc34d686 fa87dfae"
    "8022 000b 74657374 20766563 746f7220"
    "0020 0008 0001a147 e112a643"
    "0008 0014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7"
    "8028 0004 c07d4c96"_hex;

// SOFTWARE "test vector", XOR-MAPPED-ADDRESS [2001:db8:1234:5678:11:2233:4455:6677]:32853.
inline constexpr Bytes kSampleIpv6Response =
    "0101 0048 2112a442 b7e7a701 bc34d686 fa87dfae"
    "8022 000b 74657374 20766563 746f7220"
    "0020 0014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"
    "0008 0014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41"
    "8028 0004 c8fb0b4c"_hex;

// RFC 5769 §2.4 and RFC 8489 B.1: long-term credentials; the padding is 0. The password is the prepared one.
inline constexpr std::string_view kLongTermUsername = "マトリックス";
inline constexpr std::string_view kLongTermRealm = "example.org";
inline constexpr std::string_view kLongTermPassword = "TheMatrIX";

// USERNAME, NONCE, REALM; the key is an MD5.
inline constexpr std::string_view kLongTermNonce = "f//499k954d6OL34oL9FSTvy64sA";
inline constexpr Bytes kLongTermRequest =
    "0001 0060 2112a442 78ad3433 c6ad72c0 29da412e"
    "0006 0012 e3839ee3 8388e383 aae38383 e382afe3 82b90000"
    "0015 001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341"
    "0014 000b 6578616d 706c652e 6f726700"
    "0008 0014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666"_hex;

// USERHASH, NONCE, REALM, PASSWORD-ALGORITHM SHA-256, corrected by erratum 6268.
inline constexpr std::string_view kLongTermSha256Nonce = "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA";
inline constexpr Bytes kLongTermSha256Request =
    "0001 0090 2112a442 78ad3433 c6ad72c0 29da412e"
    "001e 0020 4a3cf38f ef6992bd a952c678 0417da0f 24819415 569e60b2 05c46e41 407f1704"
    "0015 0029 6f624d61 744a6f73 32414141 43662f2f 3439396b 39353464"
    "          364f4c33 346f4c39 46535476 79363473 41000000"
    "0014 000b 6578616d 706c652e 6f726700"
    "001d 0004 00020000"
    "001c 0020 b5c7bf00 5b6c52a2 1c51c5e8 92f81924 136296cb 927c4314 9309278c c6518e65"_hex;

}  // namespace turnpike::test
