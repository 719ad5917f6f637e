#include "turnpike/stun/message.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "unit/stun/raw_message.hpp"

namespace turnpike::stun {
namespace {

using test::concat;
using test::copy;
using test::Octets;
using test::operator""_hex;
using test::raw_message;
using test::to_hex;
using test::with_attribute;
using test::with_fingerprint;
using test::with_sha1;
using test::with_sha256;

const Bytes kKey = as_bytes("key");

// Returns why a datagram is dropped, or nothing when it is accepted.
std::optional<ParseError> drop_reason(Bytes datagram) {
  const Octets exact = copy(datagram);
  const auto parsed = MessageView::parse(exact);
  if (parsed) return std::nullopt;
  return parsed.error();
}

// Returns the attributes as "type:value" in hexadecimal.
std::string listed(const MessageView& message) {
  std::string all;
  message.for_each([&](const Attribute& attribute) {
    std::uint8_t type[2];
    store_u16(type, static_cast<std::uint16_t>(attribute.type));
    all += (all.empty() ? "" : " ") + to_hex(type) + ':' + to_hex(attribute.value);
  });
  return all;
}

TEST_CASE("a message without attributes is read", "[stun]") {
  const Octets datagram = raw_message({}, 0x0113);
  const auto message = MessageView::parse(datagram);
  REQUIRE(message.has_value());
  CHECK(message->type() == MessageType{Method::allocate, Class::error});
  CHECK(message->method() == Method::allocate);
  CHECK(message->message_class() == Class::error);
  CHECK(message->transaction_id() == test::kTransactionId);
  CHECK(message->bytes().data() == datagram.data());
  CHECK(message->bytes().size() == 20);
  CHECK(listed(*message).empty());
  CHECK_FALSE(message->has(AttributeType::username));
  CHECK_FALSE(message->has_integrity());
  CHECK_FALSE(message->has_fingerprint());
}

TEST_CASE("what has no STUN header is dropped", "[stun]") {
  struct Case {
    const char* what;
    Bytes datagram;
    ParseError reason;
  };
  const Case cases[] = {
      {"nothing", {}, ParseError::too_short},
      {"one octet", "00"_hex, ParseError::too_short},
      {"a header less one octet", "0001 0000 2112a442 b7e7a701 bc34d686 fa87df"_hex, ParseError::too_short},
      {"the second bit set", "4001 0000 2112a442 b7e7a701 bc34d686 fa87dfae"_hex, ParseError::not_stun},
      {"the first bit set", "8001 0000 2112a442 b7e7a701 bc34d686 fa87dfae"_hex, ParseError::not_stun},
      {"both bits set", "c001 0000 2112a442 b7e7a701 bc34d686 fa87dfae"_hex, ParseError::not_stun},
      {"RFC 3489: a random cookie", "0001 0000 b7e7a701 b7e7a701 bc34d686 fa87dfae"_hex,
       ParseError::bad_magic_cookie},
      {"a cookie in the other byte order", "0001 0000 42a41221 b7e7a701 bc34d686 fa87dfae"_hex,
       ParseError::bad_magic_cookie},
      {"no body where 4 octets are claimed", "0001 0004 2112a442 b7e7a701 bc34d686 fa87dfae"_hex,
       ParseError::bad_length},
      {"a length that counts the header", "0001 0014 2112a442 b7e7a701 bc34d686 fa87dfae"_hex,
       ParseError::bad_length},
      {"the greatest length", "0001 ffff 2112a442 b7e7a701 bc34d686 fa87dfae"_hex, ParseError::bad_length},
      {"more than is claimed", "0001 0000 2112a442 b7e7a701 bc34d686 fa87dfae 80220000"_hex,
       ParseError::bad_length},
      {"1 octet of body", "0001 0001 2112a442 b7e7a701 bc34d686 fa87dfae 80"_hex, ParseError::bad_length},
      {"2 octets of body", "0001 0002 2112a442 b7e7a701 bc34d686 fa87dfae 8022"_hex, ParseError::bad_length},
      {"3 octets of body", "0001 0003 2112a442 b7e7a701 bc34d686 fa87dfae 802200"_hex,
       ParseError::bad_length},
      {"an attribute without its padding", "0001 0005 2112a442 b7e7a701 bc34d686 fa87dfae 80220001 61"_hex,
       ParseError::bad_length},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    CHECK(drop_reason(c.datagram) == c.reason);
  }
}

TEST_CASE("a Binding request of RFC 3489 is read only by the function for it", "[stun]") {
  const auto request = "0001 0008 b7e7a701 b7e7a701 bc34d686 fa87dfae 00030004 00000006"_hex;
  CHECK(drop_reason(request) == ParseError::bad_magic_cookie);
  const auto message = MessageView::parse_rfc3489(request);
  REQUIRE(message.has_value());
  CHECK(message->type() == MessageType{Method::binding, Class::request});
  CHECK(message->cookie() == 0xb7e7a701);
  CHECK(message->transaction_id() == test::kTransactionId);
  CHECK(message->has(AttributeType::change_request));
  CHECK(MessageView::parse(raw_message({}))->cookie() == kMagicCookie);
  for (const Bytes other : {Bytes(), Bytes("0001 0000 b7e7a701 b7e7a701 bc34d686 fa87df"_hex),
                            Bytes("0002 0000 b7e7a701 b7e7a701 bc34d686 fa87dfae"_hex),
                            Bytes("0101 0000 b7e7a701 b7e7a701 bc34d686 fa87dfae"_hex),
                            Bytes("0003 0000 b7e7a701 b7e7a701 bc34d686 fa87dfae"_hex),
                            Bytes("0001 0004 b7e7a701 b7e7a701 bc34d686 fa87dfae"_hex),
                            Bytes("0001 0000 b7e7a701 b7e7a701 bc34d686 fa87dfae 00030000"_hex),
                            Bytes("0001 0004 b7e7a701 b7e7a701 bc34d686 fa87dfae 00030004"_hex)}) {
    CAPTURE(test::to_hex(other));
    CHECK_FALSE(MessageView::parse_rfc3489(other).has_value());
  }
}

TEST_CASE("each bit of the magic cookie counts", "[stun]") {
  for (std::size_t bit = 32; bit < 64; ++bit) {
    CAPTURE(bit);
    CHECK(drop_reason(test::with_flipped_bit(raw_message({}), bit)) == ParseError::bad_magic_cookie);
  }
}

TEST_CASE("an attribute that reaches past the end is dropped with its message", "[stun]") {
  struct Case {
    const char* what;
    Bytes body;
  };
  const Case cases[] = {
      {"one octet claimed, none there", "0006 0001"_hex},
      {"five claimed, four there", "0006 0005 61626364"_hex},
      {"all that a length can say", "0006 ffff 61626364"_hex},
      {"one octet of padding too many for the arithmetic", "0006 fffd 61626364"_hex},
      {"the second one", "0006 0004 61626364 0014 0001"_hex},
      {"one of a type nobody knows", "fff0 0008 61626364"_hex},
      {"one behind MESSAGE-INTEGRITY",
       "0008 0014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 0006 0001"_hex},
      {"MESSAGE-INTEGRITY itself", "0008 0014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249"_hex},
      {"MESSAGE-INTEGRITY-SHA256 itself", "001c 0020 b5c7bf00 5b6c52a2 1c51c5e8 92f81924"_hex},
      {"FINGERPRINT itself", "8028 0004"_hex},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    CHECK(drop_reason(raw_message(c.body)) == ParseError::malformed_attributes);
  }
}

TEST_CASE("FINGERPRINT is last, four octets long and right, or the message is dropped", "[stun]") {
  const Octets right = with_fingerprint(raw_message("8022 0004 74657374"_hex));
  CHECK(drop_reason(right) == std::nullopt);
  CHECK(MessageView::parse(right)->has_fingerprint());

  struct Case {
    const char* what;
    Octets datagram;
    ParseError reason;
  };
  const Case cases[] = {
      {"an attribute behind it", with_attribute(right, 0x8022, {}), ParseError::malformed_attributes},
      {"MESSAGE-INTEGRITY behind it", with_sha1(right, kKey), ParseError::malformed_attributes},
      {"twice", with_fingerprint(right), ParseError::malformed_attributes},
      {"no octets", with_attribute(raw_message({}), 0x8028, {}), ParseError::malformed_attributes},
      {"three octets", with_attribute(raw_message({}), 0x8028, "000000"_hex),
       ParseError::malformed_attributes},
      {"eight octets", with_attribute(raw_message({}), 0x8028, "0000000000000000"_hex),
       ParseError::malformed_attributes},
      {"of nothing", with_attribute(raw_message({}), 0x8028, "00000000"_hex), ParseError::bad_fingerprint},
      {"without the XOR",
       with_attribute(raw_message({}), 0x8028,
                      [] {
                        Octets crc(4);
                        store_u32(crc.data(), crypto::crc32(test::covered(raw_message({}), 4)));
                        return crc;
                      }()),
       ParseError::bad_fingerprint},
      {"behind MESSAGE-INTEGRITY and wrong",
       with_attribute(with_sha1(raw_message({}), kKey), 0x8028, "00000000"_hex), ParseError::bad_fingerprint},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    CHECK(drop_reason(c.datagram) == c.reason);
  }
}

TEST_CASE("each bit that FINGERPRINT covers counts", "[stun]") {
  const Bytes right = test::kSampleRequest;
  for (std::size_t bit = 0; bit < 8 * right.size(); ++bit) {
    // When the FINGERPRINT is no longer recognised as one, the message is read without it.
    const Octets wrong = test::with_flipped_bit(right, bit);
    const auto message = MessageView::parse(wrong);
    if (message && message->has_fingerprint()) FAIL("read with bit " << bit << " flipped");
  }
}

TEST_CASE("a message cut short anywhere is dropped", "[stun]") {
  for (const Bytes whole : {test::kSampleRequest, test::kSampleIpv6Response, test::kLongTermSha256Request}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const ParseError expected = size < kHeaderSize ? ParseError::too_short : ParseError::bad_length;
      if (drop_reason(whole.first(size)) != expected) FAIL("read with " << size << " octets");
    }
  }
}

TEST_CASE("attributes are visited in order, without their padding", "[stun]") {
  const Octets datagram = raw_message(
      "0006 0003 61626300"
      "0014 0000"
      "c001 0005 0102030405 ffffff"
      "0000 0001 00000000"
      "ffff 0004 deadbeef"_hex);
  const auto message = MessageView::parse(datagram);
  REQUIRE(message.has_value());
  CHECK(listed(*message) == "0006:616263 0014: c001:0102030405 0000:00 ffff:deadbeef");
  CHECK(to_hex(*message->find(AttributeType::username)) == "616263");
  CHECK(message->find(AttributeType::username)->data() == datagram.data() + 24);
  CHECK(message->has(AttributeType::realm));
  CHECK(message->find(AttributeType::realm)->empty());
  CHECK_FALSE(message->find(AttributeType::nonce));
}

TEST_CASE("of two attributes of a type the first one counts", "[stun]") {
  const Octets datagram = raw_message("0006 0001 61000000 0014 0000 0006 0001 62000000"_hex);
  const auto message = MessageView::parse(datagram);
  REQUIRE(message.has_value());
  CHECK(to_hex(*message->find(AttributeType::username)) == "61");
  CHECK(listed(*message) == "0006:61 0014: 0006:62");
}

TEST_CASE("the longest message is read", "[stun]") {
  const Octets value(65528, 'x');
  const Octets datagram = with_attribute(raw_message({}), 0x0013, value);
  REQUIRE(datagram.size() == 20 + 65532);
  const auto message = MessageView::parse(datagram);
  REQUIRE(message.has_value());
  CHECK(message->find(AttributeType::data)->size() == value.size());
}

// The message has USERNAME "a" before the integrity attribute, and `tail` after it.
TEST_CASE("what stands behind an integrity attribute does not exist", "[stun]") {
  const Octets start = raw_message("0006 0001 61000000"_hex);
  struct Case {
    const char* what;
    Octets datagram;
    bool sha1;
    bool sha256;
    bool fingerprint;
  };
  const Case cases[] = {
      {"nothing", start, false, false, false},
      {"SHA-1", with_sha1(start, kKey), true, false, false},
      {"SHA-256", with_sha256(start, kKey), false, true, false},
      {"SHA-1, SHA-256", with_sha256(with_sha1(start, kKey), kKey), true, true, false},
      {"SHA-1, SHA-256, FINGERPRINT", with_fingerprint(with_sha256(with_sha1(start, kKey), kKey)), true, true,
       true},
      {"SHA-1, FINGERPRINT", with_fingerprint(with_sha1(start, kKey)), true, false, true},
      {"SHA-256, SHA-1", with_sha1(with_sha256(start, kKey), kKey), false, true, false},
      {"FINGERPRINT", with_fingerprint(start), false, false, true},
      {"SHA-1, REALM", with_attribute(with_sha1(start, kKey), 0x0014, "62"_hex), true, false, false},
      {"SHA-256, REALM", with_attribute(with_sha256(start, kKey), 0x0014, "62"_hex), false, true, false},
      {"SHA-1, REALM, SHA-256", with_sha256(with_attribute(with_sha1(start, kKey), 0x0014, "62"_hex), kKey),
       true, true, false},
      {"SHA-1, REALM, FINGERPRINT",
       with_fingerprint(with_attribute(with_sha1(start, kKey), 0x0014, "62"_hex)), true, false, true},
      {"SHA-1, a required one that nobody knows", with_attribute(with_sha1(start, kKey), 0x7F00, {}), true,
       false, false},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    const auto message = MessageView::parse(c.datagram);
    REQUIRE(message.has_value());
    CHECK(listed(*message) == "0006:61");
    CHECK_FALSE(message->has(AttributeType::realm));
    CHECK(message->has_integrity_sha1() == c.sha1);
    CHECK(message->has_integrity_sha256() == c.sha256);
    CHECK(message->has_integrity() == (c.sha1 || c.sha256));
    CHECK(message->has_fingerprint() == c.fingerprint);

    crypto::Digester digester;
    CHECK(message->verify_integrity_sha1(digester, kKey) == c.sha1);
    CHECK(message->verify_integrity_sha256(digester, kKey) == c.sha256);
    CHECK_FALSE(message->verify_integrity_sha1(digester, as_bytes("another key")));
    CHECK_FALSE(message->verify_integrity_sha256(digester, as_bytes("another key")));
    CHECK_FALSE(message->verify_integrity_sha1(digester, {}));
  }
}

TEST_CASE("of two integrity attributes of a type the first one counts", "[stun]") {
  const Octets start = raw_message("0006 0001 61000000"_hex);
  const Bytes other = as_bytes("other");
  crypto::Digester digester;

  const Octets sha1_twice = with_sha1(with_sha1(start, kKey), other);
  CHECK(MessageView::parse(sha1_twice)->verify_integrity_sha1(digester, kKey));
  CHECK_FALSE(MessageView::parse(sha1_twice)->verify_integrity_sha1(digester, other));

  const Octets sha256_twice = with_sha256(with_sha256(start, kKey), other);
  CHECK(MessageView::parse(sha256_twice)->verify_integrity_sha256(digester, kKey));
  CHECK_FALSE(MessageView::parse(sha256_twice)->verify_integrity_sha256(digester, other));
}

TEST_CASE("MESSAGE-INTEGRITY-SHA256 has 32 octets, since TURN allows none to be cut", "[stun]") {
  crypto::Digester digester;
  for (std::size_t size = 0; size <= 40; ++size) {
    CAPTURE(size);
    const Octets datagram = with_sha256(raw_message("0006 0001 61000000"_hex), kKey, size);
    const auto message = MessageView::parse(datagram);
    REQUIRE(message.has_value());
    CHECK(message->has_integrity_sha256());
    CHECK(message->verify_integrity_sha256(digester, kKey) == (size == 32));
  }
}

TEST_CASE("MESSAGE-INTEGRITY has 20 octets", "[stun]") {
  crypto::Digester digester;
  const Octets start = raw_message({});
  for (std::size_t size = 0; size <= 40; ++size) {
    CAPTURE(size);
    Octets value = copy(digester.hmac_sha1(kKey, {test::covered(start, size)}));
    value.resize(size);
    const Octets datagram = with_attribute(start, 0x0008, value);
    const auto message = MessageView::parse(datagram);
    REQUIRE(message.has_value());
    CHECK(message->has_integrity_sha1());
    CHECK(message->verify_integrity_sha1(digester, kKey) == (size == 20));
  }
}

TEST_CASE("each bit that an integrity attribute covers counts", "[stun]") {
  crypto::Digester digester;
  const Octets sha1 = with_sha1(raw_message("0006 0001 61000000"_hex), kKey);
  const Octets sha256 = with_sha256(raw_message("0006 0001 61000000"_hex), kKey);
  const auto verifies = [&](Bytes datagram) {
    const auto message = MessageView::parse(datagram);
    return message && (message->verify_integrity_sha1(digester, kKey) ||
                       message->verify_integrity_sha256(digester, kKey));
  };
  for (const Octets& right : {sha1, sha256}) {
    REQUIRE(verifies(right));
    for (std::size_t bit = 0; bit < 8 * right.size(); ++bit) {
      if (verifies(test::with_flipped_bit(right, bit))) FAIL("verified with bit " << bit << " flipped");
    }
  }
}

}  // namespace
}  // namespace turnpike::stun
