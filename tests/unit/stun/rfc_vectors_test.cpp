#include "support/rfc_vectors.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/stun/message_builder.hpp"
#include "unit/stun/raw_message.hpp"

namespace turnpike::stun {
namespace {

using namespace test;

constexpr AttributeType kPriority{0x0024};
constexpr AttributeType kIceControlled{0x8029};

MessageView parsed(Bytes message) {
  const auto view = MessageView::parse(message);
  REQUIRE(view.has_value());
  return *view;
}

std::string_view text_of(const MessageView& message, AttributeType type) {
  const std::optional<Bytes> value = message.find(type);
  REQUIRE(value);
  return as_text(*value);
}

crypto::Md5 long_term_key(crypto::Digester& digester) {
  return digester.md5({as_bytes(kLongTermUsername), as_bytes(":"), as_bytes(kLongTermRealm), as_bytes(":"),
                       as_bytes(kLongTermPassword)});
}

crypto::Sha256 long_term_sha256_key(crypto::Digester& digester) {
  return digester.sha256({as_bytes(kLongTermUsername), as_bytes(":"), as_bytes(kLongTermRealm), as_bytes(":"),
                          as_bytes(kLongTermPassword)});
}

TEST_CASE("the request of RFC 5769 2.1 is verified", "[stun][rfc]") {
  const MessageView request = parsed(kSampleRequest);
  CHECK(request.type() == MessageType{Method::binding, Class::request});
  CHECK(request.transaction_id() == kTransactionId);
  CHECK(text_of(request, AttributeType::software) == "STUN test client");
  CHECK(to_hex(*request.find(kPriority)) == "6e0001ff");
  CHECK(to_hex(*request.find(kIceControlled)) == "932ff9b151263b36");
  CHECK(text_of(request, AttributeType::username) == "evtj:h6vY");
  CHECK(request.has_fingerprint());
}

TEST_CASE("the responses of RFC 5769 2.2 and 2.3 are verified", "[stun][rfc]") {
  struct Case {
    Bytes message;
    std::string_view mapped;
  };
  const Case cases[] = {
      {kSampleIpv4Response, "192.0.2.1:32853"},
      {kSampleIpv6Response, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"},
  };
  for (const Case& c : cases) {
    const MessageView response = parsed(c.message);
    CHECK(response.type() == MessageType{Method::binding, Class::success});
    CHECK(text_of(response, AttributeType::software) == "test vector");
    const std::optional<Bytes> value = response.find(AttributeType::xor_mapped_address);
    REQUIRE(value);
    CHECK(decode_xor_address(*value, response.transaction_id()) == Endpoint::parse(c.mapped));
    CHECK(response.has_fingerprint());
  }
}

TEST_CASE("RFC 5769: MESSAGE-INTEGRITY covers the padding as it came", "[stun][rfc]") {
  struct Case {
    Bytes message;
    std::size_t padding_at;
  };
  const Case cases[] = {{kSampleRequest, 73}, {kSampleIpv4Response, 35}, {kSampleIpv6Response, 35}};
  crypto::Digester digester;
  for (const Case& c : cases) {
    CHECK(parsed(c.message).verify_integrity_sha1(digester, as_bytes(kShortTermPassword)));
    CHECK_FALSE(parsed(c.message).verify_integrity_sha1(digester, as_bytes("VOkJxbRl1RmTxUk/WvJxBT")));
    CHECK_FALSE(parsed(c.message).verify_integrity_sha256(digester, as_bytes(kShortTermPassword)));

    REQUIRE(c.message[c.padding_at] == 0x20);
    Octets zeroed = copy(c.message.first(c.message.size() - 8));  // FINGERPRINT would notice first
    zeroed[c.padding_at] = 0;
    store_u16(&zeroed[2], static_cast<std::uint16_t>(zeroed.size() - kHeaderSize));
    CHECK_FALSE(parsed(zeroed).verify_integrity_sha1(digester, as_bytes(kShortTermPassword)));
    zeroed[c.padding_at] = 0x20;
    CHECK(parsed(zeroed).verify_integrity_sha1(digester, as_bytes(kShortTermPassword)));
  }
}

TEST_CASE("the request of RFC 5769 2.4 with long-term credentials is verified", "[stun][rfc]") {
  crypto::Digester digester;
  const crypto::Md5 key = long_term_key(digester);
  const MessageView request = parsed(kLongTermRequest);
  CHECK(request.type() == MessageType{Method::binding, Class::request});
  CHECK(text_of(request, AttributeType::username) == kLongTermUsername);
  CHECK(text_of(request, AttributeType::nonce) == kLongTermNonce);
  CHECK(text_of(request, AttributeType::realm) == kLongTermRealm);
  CHECK_FALSE(request.has_fingerprint());
  CHECK(request.verify_integrity_sha1(digester, key));
  CHECK_FALSE(request.verify_integrity_sha1(digester, as_bytes(kLongTermPassword)));
}

TEST_CASE("the request of RFC 8489 B.1 with errata 6268, with SHA-256 and USERHASH, is verified",
          "[stun][rfc]") {
  crypto::Digester digester;
  const MessageView request = parsed(kLongTermSha256Request);
  CHECK(request.bytes().size() == 164);
  CHECK(load_u16(&request.bytes()[2]) == 0x90);
  CHECK(text_of(request, AttributeType::nonce) == kLongTermSha256Nonce);
  CHECK(text_of(request, AttributeType::realm) == kLongTermRealm);
  CHECK(decode_password_algorithm(*request.find(AttributeType::password_algorithm)) == 2);
  CHECK(to_hex(*request.find(AttributeType::userhash)) ==
        to_hex(digester.sha256({as_bytes(kLongTermUsername), as_bytes(":"), as_bytes(kLongTermRealm)})));

  const crypto::Sha256 key = long_term_sha256_key(digester);
  CHECK(request.verify_integrity_sha256(digester, key));
  CHECK_FALSE(request.verify_integrity_sha256(digester, long_term_key(digester)));
  CHECK_FALSE(request.has_integrity_sha1());
}

TEST_CASE("the vectors that pad with zeros are built octet by octet", "[stun][rfc]") {
  crypto::Digester digester;
  std::uint8_t buffer[164];
  const TransactionId id = parsed(kLongTermRequest).transaction_id();
  const MessageType type{Method::binding, Class::request};

  MessageBuilder md5(buffer, type, id);
  md5.add(AttributeType::username, kLongTermUsername)
      .add(AttributeType::nonce, kLongTermNonce)
      .add(AttributeType::realm, kLongTermRealm)
      .add_integrity_sha1(digester, long_term_key(digester));
  CHECK(to_hex(md5.bytes()) == to_hex(kLongTermRequest));

  MessageBuilder sha256(buffer, type, id);
  sha256
      .add(AttributeType::userhash,
           digester.sha256({as_bytes(kLongTermUsername), as_bytes(":"), as_bytes(kLongTermRealm)}))
      .add(AttributeType::nonce, kLongTermSha256Nonce)
      .add(AttributeType::realm, kLongTermRealm)
      .add_password_algorithm(PasswordAlgorithm::sha256)
      .add_integrity_sha256(digester, long_term_sha256_key(digester));
  CHECK(to_hex(sha256.bytes()) == to_hex(kLongTermSha256Request));
}

// Compares a message that was built again with the vector up to its MAC, which covers the padding; our
// padding is zero.
void expect_same_but_for_padding(const MessageBuilder& built, Bytes vector, std::size_t padding_at,
                                 std::size_t padding) {
  const std::size_t mac_at = vector.size() - 8 - 20;
  Octets expected = copy(vector.first(mac_at));
  std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(padding_at), padding, std::uint8_t{0});
  REQUIRE(built.bytes().size() == vector.size());
  CHECK(to_hex(built.bytes().first(mac_at)) == to_hex(expected));

  crypto::Digester digester;
  const MessageView again = parsed(built.bytes());
  CHECK(again.verify_integrity_sha1(digester, as_bytes(kShortTermPassword)));
  CHECK(again.has_fingerprint());
}

TEST_CASE("the vectors that pad with spaces are built but for their padding", "[stun][rfc]") {
  crypto::Digester digester;
  std::uint8_t buffer[128];
  MessageBuilder request(buffer, {Method::binding, Class::request}, kTransactionId);
  request.add(AttributeType::software, "STUN test client")
      .add_u32(kPriority, 0x6e0001ff)
      .add(kIceControlled, "932ff9b1 51263b36"_hex)
      .add(AttributeType::username, "evtj:h6vY")
      .add_integrity_sha1(digester, as_bytes(kShortTermPassword))
      .add_fingerprint();
  expect_same_but_for_padding(request, kSampleRequest, 73, 3);

  for (const Bytes vector : {kSampleIpv4Response, kSampleIpv6Response}) {
    const MessageView original = parsed(vector);
    const std::optional<Endpoint> mapped =
        decode_xor_address(*original.find(AttributeType::xor_mapped_address), original.transaction_id());
    MessageBuilder response(buffer, {Method::binding, Class::success}, kTransactionId);
    response.add(AttributeType::software, "test vector")
        .add_xor_address(AttributeType::xor_mapped_address, *mapped)
        .add_integrity_sha1(digester, as_bytes(kShortTermPassword))
        .add_fingerprint();
    expect_same_but_for_padding(response, vector, 35, 1);
  }
}

}  // namespace
}  // namespace turnpike::stun
