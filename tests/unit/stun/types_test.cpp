#include "turnpike/stun/types.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

namespace turnpike::stun {
namespace {

TEST_CASE("message types have the numbers that the standards print", "[stun]") {
  struct Case {
    Method method;
    Class message_class;
    std::uint16_t wire;
  };
  const Case cases[] = {
      {Method::binding, Class::request, 0x0001},
      {Method::binding, Class::indication, 0x0011},
      {Method::binding, Class::success, 0x0101},
      {Method::binding, Class::error, 0x0111},
      {Method::allocate, Class::request, 0x0003},
      {Method::allocate, Class::success, 0x0103},
      {Method::allocate, Class::error, 0x0113},
      {Method::refresh, Class::request, 0x0004},
      {Method::refresh, Class::success, 0x0104},
      {Method::refresh, Class::error, 0x0114},
      {Method::send, Class::indication, 0x0016},
      {Method::data, Class::indication, 0x0017},
      {Method::create_permission, Class::request, 0x0008},
      {Method::create_permission, Class::success, 0x0108},
      {Method::create_permission, Class::error, 0x0118},
      {Method::channel_bind, Class::request, 0x0009},
      {Method::channel_bind, Class::success, 0x0109},
      {Method::channel_bind, Class::error, 0x0119},
      {Method::connect, Class::request, 0x000A},
      {Method::connection_bind, Class::request, 0x000B},
      {Method::connection_attempt, Class::indication, 0x001C},
      {Method{0x000}, Class::request, 0x0000},
      {Method{0x010}, Class::request, 0x0020},
      {Method{0x080}, Class::request, 0x0200},
      {Method{0xFFF}, Class::request, 0x3EEF},
      {Method{0xFFF}, Class::error, 0x3FFF},
  };
  for (const Case& c : cases) {
    CAPTURE(c.wire);
    CHECK(MessageType{c.method, c.message_class}.to_wire() == c.wire);
    CHECK(MessageType::from_wire(c.wire) == MessageType{c.method, c.message_class});
  }
}

TEST_CASE("every 14-bit message type survives the way there and back", "[stun]") {
  std::set<std::pair<Method, Class>> seen;
  for (std::uint32_t wire = 0; wire < 0x4000; ++wire) {
    const MessageType type = MessageType::from_wire(static_cast<std::uint16_t>(wire));
    if (type.to_wire() != wire || static_cast<std::uint16_t>(type.method) > 0xFFF) FAIL("not " << wire);
    seen.emplace(type.method, type.message_class);
  }
  CHECK(seen.size() == 0x4000);
}

TEST_CASE("attributes are padded to four octets", "[stun]") {
  CHECK(padded(0) == 0);
  CHECK(padded(1) == 4);
  CHECK(padded(3) == 4);
  CHECK(padded(4) == 4);
  CHECK(padded(5) == 8);
  CHECK(padded(65535) == 65536);
}

TEST_CASE("the top bit says that an attribute may be ignored", "[stun]") {
  CHECK(comprehension_required(AttributeType{0x0000}));
  CHECK(comprehension_required(AttributeType{0x7FFF}));
  CHECK_FALSE(comprehension_required(AttributeType{0x8000}));
  CHECK_FALSE(comprehension_required(AttributeType{0xFFFF}));
}

TEST_CASE("an error code has the phrase that its RFC recommends", "[stun]") {
  struct Case {
    ErrorCode code;
    int number;
    std::string_view phrase;
  };
  const Case cases[] = {
      {ErrorCode::try_alternate, 300, "Try Alternate"},
      {ErrorCode::bad_request, 400, "Bad Request"},
      {ErrorCode::unauthenticated, 401, "Unauthenticated"},
      {ErrorCode::forbidden, 403, "Forbidden"},
      {ErrorCode::unknown_attribute, 420, "Unknown Attribute"},
      {ErrorCode::allocation_mismatch, 437, "Allocation Mismatch"},
      {ErrorCode::stale_nonce, 438, "Stale Nonce"},
      {ErrorCode::address_family_not_supported, 440, "Address Family not Supported"},
      {ErrorCode::wrong_credentials, 441, "Wrong Credentials"},
      {ErrorCode::unsupported_transport_protocol, 442, "Unsupported Transport Protocol"},
      {ErrorCode::peer_address_family_mismatch, 443, "Peer Address Family Mismatch"},
      {ErrorCode::allocation_quota_reached, 486, "Allocation Quota Reached"},
      {ErrorCode::server_error, 500, "Server Error"},
      {ErrorCode::insufficient_capacity, 508, "Insufficient Capacity"},
  };
  for (const Case& c : cases) {
    CHECK(static_cast<int>(c.code) == c.number);
    CHECK(reason_phrase(c.code) == c.phrase);
  }
  CHECK(reason_phrase(ErrorCode{499}).empty());
}

}  // namespace
}  // namespace turnpike::stun
