#include "turnpike/stun/message_builder.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "turnpike/stun/message.hpp"
#include "unit/guarded_buffer.hpp"
#include "unit/stun/raw_message.hpp"

namespace turnpike::stun {
namespace {

using test::concat;
using test::GuardedBuffer;
using test::kTransactionId;
using test::Octets;
using test::operator""_hex;
using test::to_hex;
using namespace std::chrono_literals;

constexpr MessageType kBindingRequest{Method::binding, Class::request};

Endpoint at(std::string_view text) { return *Endpoint::parse(text); }

struct Case {
  std::string what;
  std::function<void(MessageBuilder&)> build;
  Bytes body;
};

// Returns one example of each attribute that a builder writes, except the digests.
std::vector<Case> cases() {
  using B = MessageBuilder&;
  static constexpr AttributeType kUnknown[] = {AttributeType{0x0002}, AttributeType{0x7FFF},
                                               AttributeType{0x0024}};
  static constexpr PasswordAlgorithm kAlgorithms[] = {PasswordAlgorithm::sha256, PasswordAlgorithm::md5};
  return {
      {"nothing", [](B) {}, {}},
      {"no octets", [](B b) { b.add(AttributeType::realm, ""); }, "0014 0000"_hex},
      {"one octet", [](B b) { b.add(AttributeType::realm, "a"); }, "0014 0001 61000000"_hex},
      {"two octets", [](B b) { b.add(AttributeType::realm, "ab"); }, "0014 0002 61620000"_hex},
      {"three octets", [](B b) { b.add(AttributeType::realm, "abc"); }, "0014 0003 61626300"_hex},
      {"four octets", [](B b) { b.add(AttributeType::realm, "abcd"); }, "0014 0004 61626364"_hex},
      {"octets", [](B b) { b.add(AttributeType::data, "0001020304"_hex); }, "0013 0005 0001020304000000"_hex},
      {"a flag", [](B b) { b.add_flag(AttributeType::dont_fragment); }, "001a 0000"_hex},
      {"a word", [](B b) { b.add_u32(AttributeType{0x0024}, 0x6e0001ff); }, "0024 0004 6e0001ff"_hex},
      {"an IPv4 address", [](B b) { b.add_address(AttributeType::alternate_server, at("192.0.2.1:3478")); },
       "8023 0008 0001 0d96 c0000201"_hex},
      {"an IPv6 address", [](B b) { b.add_address(AttributeType::mapped_address, at("[2001:db8::1]:1")); },
       "0001 0014 0002 0001 20010db8 00000000 00000000 00000001"_hex},
      {"no change", [](B b) { b.add_change_request({}); }, "0003 0004 00000000"_hex},
      {"another address", [](B b) { b.add_change_request({.ip = true, .port = false}); },
       "0003 0004 00000004"_hex},
      {"another port", [](B b) { b.add_change_request({.ip = false, .port = true}); },
       "0003 0004 00000002"_hex},
      {"a response port", [](B b) { b.add_response_port(3478); }, "0027 0004 0d960000"_hex},
      {"empty padding", [](B b) { b.add_padding(0); }, "0026 0000"_hex},
      {"padding", [](B b) { b.add_padding(5); }, "0026 0005 0000000000000000"_hex},
      {"a masked IPv4 address",
       [](B b) { b.add_xor_address(AttributeType::xor_mapped_address, at("192.0.2.1:32853")); },
       "0020 0008 0001 a147 e112a643"_hex},
      {"a masked IPv6 address",
       [](B b) {
         b.add_xor_address(AttributeType::xor_peer_address,
                           at("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
       },
       "0012 0014 0002 a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"_hex},
      {"an error", [](B b) { b.add_error(ErrorCode::allocation_quota_reached); },
       "0009 001c 00000456 416c6c6f636174696f6e2051756f74612052656163686564"_hex},
      {"an error with padding", [](B b) { b.add_error(ErrorCode::bad_request); },
       "0009 000f 00000400 426164205265717565737400"_hex},
      {"an error without a phrase", [](B b) { b.add_error(ErrorCode{699}); }, "0009 0004 00000663"_hex},
      {"unknown attributes", [](B b) { b.add_unknown_attributes(kUnknown); },
       "000a 0006 0002 7fff 0024 0000"_hex},
      {"no unknown attributes", [](B b) { b.add_unknown_attributes({}); }, "000a 0000"_hex},
      {"LIFETIME", [](B b) { b.add_lifetime(600s); }, "000d 0004 00000258"_hex},
      {"CHANNEL-NUMBER", [](B b) { b.add_channel_number(*ChannelNumber::from_wire(0x4FFF)); },
       "000c 0004 4fff0000"_hex},
      {"REQUESTED-TRANSPORT", [](B b) { b.add_requested_transport(kProtocolUdp); }, "0019 0004 11000000"_hex},
      {"REQUESTED-ADDRESS-FAMILY",
       [](B b) { b.add_family(AttributeType::requested_address_family, Family::ipv6); },
       "0017 0004 02000000"_hex},
      {"EVEN-PORT with R", [](B b) { b.add_even_port(true); }, "0018 0001 80000000"_hex},
      {"EVEN-PORT without R", [](B b) { b.add_even_port(false); }, "0018 0001 00000000"_hex},
      {"ADDRESS-ERROR-CODE",
       [](B b) { b.add_address_error_code(Family::ipv6, ErrorCode::address_family_not_supported); },
       "8001 0020 02000428 416464726573732046616d696c79206e6f7420537570706f72746564"_hex},
      {"ICMP",
       [](B b) {
         b.add_icmp({3, 4, 1500});
       },
       "8004 0008 0000 0604 000005dc"_hex},
      {"ICMP with more bits than there are",
       [](B b) {
         b.add_icmp({0xFF, 0xFFFF, 0xFFFFFFFF});
       },
       "8004 0008 0000 ffff ffffffff"_hex},
      {"ICMP with a code of more bits than there are",
       [](B b) {
         b.add_icmp({0, 0xFFFF, 0});
       },
       "8004 0008 0000 01ff 00000000"_hex},
      {"PASSWORD-ALGORITHM", [](B b) { b.add_password_algorithm(PasswordAlgorithm::sha256); },
       "001d 0004 00020000"_hex},
      {"PASSWORD-ALGORITHMS", [](B b) { b.add_password_algorithms(kAlgorithms); },
       "8002 0008 00020000 00010000"_hex},
      {"no PASSWORD-ALGORITHMS", [](B b) { b.add_password_algorithms({}); }, "8002 0000"_hex},
      {"several",
       [](B b) {
         b.add(AttributeType::realm, "a").add_flag(AttributeType::dont_fragment).add_even_port(true);
       },
       "0014 0001 61000000 001a 0000 0018 0001 80000000"_hex},
      {"the head of DATA without a payload", [](B b) { b.add_data_header(0); }, "0013 0000"_hex},
  };
}

TEST_CASE("each attribute is written as its RFC draws it", "[stun]") {
  for (const Case& c : cases()) {
    INFO(c.what);
    GuardedBuffer buffer(128);
    MessageBuilder builder(buffer.bytes(), kBindingRequest, kTransactionId);
    c.build(builder);
    CHECK(builder.ok());
    CHECK(to_hex(builder.bytes()) == to_hex(test::raw_message(c.body)));
    CHECK(buffer.bytes()[builder.bytes().size()] == GuardedBuffer::kDirt);
  }
}

// Builds the same message into buffers of every size up to the necessary one, and into a larger one.
void expect_no_overflow(const std::function<void(MessageBuilder&)>& build) {
  Octets room(512);
  MessageBuilder whole(room, kBindingRequest, kTransactionId);
  build(whole);
  REQUIRE(whole.ok());
  for (std::size_t size = 0; size <= whole.bytes().size(); ++size) {
    GuardedBuffer buffer(size);
    MessageBuilder builder(buffer.bytes(), kBindingRequest, kTransactionId);
    build(builder);
    const bool fits = size == whole.bytes().size();
    if (builder.ok() != fits || !buffer.walls_stand()) FAIL("with " << size << " octets");
    if (to_hex(builder.bytes()) != (fits ? to_hex(whole.bytes()) : "")) FAIL("with " << size << " octets");
  }
}

TEST_CASE("a builder never leaves its buffer", "[stun]") {
  for (const Case& c : cases()) {
    INFO(c.what);
    expect_no_overflow(c.build);
  }
  crypto::Digester digester;
  const auto build_everything = [&](MessageBuilder& builder) {
    builder.add(AttributeType::username, "user")
        .add_xor_address(AttributeType::xor_peer_address, at("[2001:db8::1]:3478"))
        .add_integrity_sha1(digester, as_bytes("key"))
        .add_integrity_sha256(digester, as_bytes("key"))
        .add_fingerprint();
  };
  expect_no_overflow(build_everything);
}

TEST_CASE("what did not fit is not mended by what would", "[stun]") {
  GuardedBuffer buffer(28);
  MessageBuilder builder(buffer.bytes(), kBindingRequest, kTransactionId);
  builder.add(AttributeType::realm, "five!");
  CHECK_FALSE(builder.ok());
  builder.add_flag(AttributeType::dont_fragment).add_data_header(0).add_fingerprint();
  CHECK_FALSE(builder.ok());
  CHECK(builder.bytes().empty());
  CHECK(buffer.walls_stand());
}

TEST_CASE("a message that no length field can say does not fit", "[stun]") {
  const Octets payload(65536, 'x');
  struct Sizes {
    std::vector<std::size_t> values;
    bool ok;
  };
  const Sizes sizes[] = {
      {{65528}, true},  {{65529}, false},       {{65535}, false},
      {{65536}, false}, {{32768, 32756}, true}, {{32768, 32757}, false},
  };
  for (const Sizes& s : sizes) {
    CAPTURE(s.values);
    Octets buffer(200'000);
    MessageBuilder builder(buffer, kBindingRequest, kTransactionId);
    for (const std::size_t size : s.values) builder.add(AttributeType::data, Bytes(payload).first(size));
    CHECK(builder.ok() == s.ok);
    CHECK(MessageView::parse(builder.bytes()).has_value() == s.ok);
  }
}

TEST_CASE("the length is right after every call", "[stun]") {
  crypto::Digester digester;
  Octets buffer(256, GuardedBuffer::kDirt);
  MessageBuilder builder(buffer, kBindingRequest, kTransactionId);
  const std::function<void()> steps[] = {
      [] {},
      [&] { builder.add(AttributeType::username, "user1"); },
      [&] { builder.add_error(ErrorCode::bad_request); },
      [&] { builder.add_flag(AttributeType::dont_fragment); },
      [&] { builder.add_integrity_sha1(digester, as_bytes("key")); },
      [&] { builder.add_integrity_sha256(digester, as_bytes("key")); },
      [&] { builder.add_fingerprint(); },
  };
  for (const auto& step : steps) {
    step();
    REQUIRE(builder.ok());
    CHECK(load_u16(&builder.bytes()[2]) == builder.bytes().size() - kHeaderSize);
    CHECK(MessageView::parse(builder.bytes()).has_value());
  }
}

TEST_CASE("integrity and fingerprint are those that a reader expects", "[stun]") {
  crypto::Digester digester;
  const Bytes key = as_bytes("key");
  const Bytes user = "0006 0001 61000000"_hex;
  Octets buffer(256, GuardedBuffer::kDirt);

  MessageBuilder sha1(buffer, kBindingRequest, kTransactionId);
  sha1.add(AttributeType::username, "a").add_integrity_sha1(digester, key).add_fingerprint();
  CHECK(to_hex(sha1.bytes()) ==
        to_hex(test::with_fingerprint(test::with_sha1(test::raw_message(user), key))));

  MessageBuilder both(buffer, kBindingRequest, kTransactionId);
  both.add(AttributeType::username, "a")
      .add_integrity_sha1(digester, key)
      .add_integrity_sha256(digester, key)
      .add_fingerprint();
  CHECK(to_hex(both.bytes()) == to_hex(test::with_fingerprint(
                                    test::with_sha256(test::with_sha1(test::raw_message(user), key), key))));
  const auto message = MessageView::parse(both.bytes());
  REQUIRE(message.has_value());
  CHECK(message->verify_integrity_sha1(digester, key));
  CHECK(message->verify_integrity_sha256(digester, key));
  CHECK(message->has_fingerprint());
}

TEST_CASE("what is built is decoded to the same", "[stun]") {
  for (const char* text :
       {"0.0.0.0:0", "192.0.2.1:3478", "255.255.255.255:65535", "[::]:0", "[2001:db8::1]:3478",
        "[::ffff:192.0.2.1]:1", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"}) {
    CAPTURE(text);
    Octets buffer(128, GuardedBuffer::kDirt);
    MessageBuilder builder(buffer, kBindingRequest, kTransactionId);
    builder.add_address(AttributeType::mapped_address, at(text))
        .add_xor_address(AttributeType::xor_mapped_address, at(text));
    const auto message = MessageView::parse(builder.bytes());
    REQUIRE(message.has_value());
    CHECK(decode_address(*message->find(AttributeType::mapped_address)) == at(text));
    CHECK(decode_xor_address(*message->find(AttributeType::xor_mapped_address), kTransactionId) == at(text));
  }

  Octets buffer(256, GuardedBuffer::kDirt);
  const ReservationToken token = {1, 2, 3, 4, 5, 6, 7, 8};
  MessageBuilder builder(buffer, kBindingRequest, kTransactionId);
  builder.add_lifetime(3600s)
      .add_channel_number(*ChannelNumber::from_wire(0x4001))
      .add_requested_transport(kProtocolTcp)
      .add_family(AttributeType::additional_address_family, Family::ipv6)
      .add_even_port(true)
      .add(AttributeType::reservation_token, token)
      .add_error(ErrorCode::insufficient_capacity)
      .add_address_error_code(Family::ipv6, ErrorCode::insufficient_capacity)
      .add_icmp({11, 0, 0})
      .add_password_algorithm(PasswordAlgorithm::md5);
  const auto message = MessageView::parse(builder.bytes());
  REQUIRE(message.has_value());
  CHECK(decode_lifetime(*message->find(AttributeType::lifetime)) == 3600s);
  CHECK(decode_channel_number(*message->find(AttributeType::channel_number))->value() == 0x4001);
  CHECK(decode_requested_transport(*message->find(AttributeType::requested_transport)) == kProtocolTcp);
  CHECK(decode_address_family(*message->find(AttributeType::additional_address_family)) == 2);
  CHECK(decode_even_port(*message->find(AttributeType::even_port)) == true);
  CHECK(decode_reservation_token(*message->find(AttributeType::reservation_token)) == token);
  CHECK(decode_error_code(*message->find(AttributeType::error_code))->code == 508);
  CHECK(decode_error_code(*message->find(AttributeType::error_code))->reason == "Insufficient Capacity");
  CHECK(decode_error_code(*message->find(AttributeType::address_error_code))->code == 508);
  CHECK(decode_icmp(*message->find(AttributeType::icmp)) == Icmp{11, 0, 0});
  CHECK(decode_password_algorithm(*message->find(AttributeType::password_algorithm)) == 1);
}

TEST_CASE("a payload sent behind the head of DATA makes the message that add() makes", "[stun]") {
  const Octets payload(9, 'x');
  for (std::size_t size = 0; size <= payload.size(); ++size) {
    CAPTURE(size);
    Octets room(64);
    MessageBuilder whole(room, {Method::data, Class::indication}, kTransactionId);
    whole.add_u32(AttributeType{0x0024}, 1).add(AttributeType::data, Bytes(payload).first(size));

    GuardedBuffer buffer(20 + 8 + 4);
    MessageBuilder head(buffer.bytes(), {Method::data, Class::indication}, kTransactionId);
    head.add_u32(AttributeType{0x0024}, 1).add_data_header(size);
    CHECK(head.ok());
    CHECK(buffer.walls_stand());
    const Octets joined =
        concat({head.bytes(), Bytes(payload).first(size), "000000"_hex.first(padded(size) - size)});
    CHECK(to_hex(joined) == to_hex(whole.bytes()));
  }
}

TEST_CASE("the head of DATA fits, and so does the length that it announces", "[stun]") {
  for (std::size_t size = 0; size <= 24; ++size) {
    CAPTURE(size);
    GuardedBuffer buffer(size);
    MessageBuilder builder(buffer.bytes(), kBindingRequest, kTransactionId);
    builder.add_data_header(1200);
    CHECK(builder.ok() == (size == 24));
    CHECK(buffer.walls_stand());
  }
  struct Size {
    std::size_t payload;
    bool ok;
  };
  for (const Size s : {Size{65528, true}, Size{65529, false}, Size{65535, false}, Size{65536, false},
                       Size{SIZE_MAX, false}}) {
    CAPTURE(s.payload);
    Octets buffer(64);
    MessageBuilder builder(buffer, kBindingRequest, kTransactionId);
    CHECK(builder.add_data_header(s.payload).ok() == s.ok);
  }
}

}  // namespace
}  // namespace turnpike::stun
