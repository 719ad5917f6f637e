#include "turnpike/stun/attributes.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "unit/stun/raw_message.hpp"

namespace turnpike::stun {
namespace {

using test::kTransactionId;
using test::Octets;
using test::operator""_hex;
using test::to_hex;
using namespace std::chrono_literals;

TEST_CASE("each decoder takes the sizes of its RFC and no other", "[stun]") {
  struct Case {
    const char* what;
    std::function<bool(Bytes)> decodes;
    Bytes start;  // continued with zeros
    std::vector<std::size_t> sizes;
  };
  const auto xor_address = [](Bytes value) { return decode_xor_address(value, kTransactionId).has_value(); };
  const Case cases[] = {
      {"an IPv4 address", [](Bytes v) { return decode_address(v).has_value(); }, "0001"_hex, {8}},
      {"an IPv6 address", [](Bytes v) { return decode_address(v).has_value(); }, "0002"_hex, {20}},
      {"an address of family 0", [](Bytes v) { return decode_address(v).has_value(); }, "0000"_hex, {}},
      {"an address of family 3", [](Bytes v) { return decode_address(v).has_value(); }, "0003"_hex, {}},
      {"an address of family 257", [](Bytes v) { return decode_address(v).has_value(); }, "01ff"_hex, {}},
      {"a masked IPv4 address", xor_address, "0001"_hex, {8}},
      {"a masked IPv6 address", xor_address, "0002"_hex, {20}},
      {"a masked address of family 0", xor_address, "0000"_hex, {}},
      {"a masked address of a masked family", xor_address, "2113"_hex, {}},
      {"LIFETIME", [](Bytes v) { return decode_lifetime(v).has_value(); }, {}, {4}},
      {"CHANNEL-NUMBER", [](Bytes v) { return decode_channel_number(v).has_value(); }, "4000"_hex, {4}},
      {"REQUESTED-TRANSPORT", [](Bytes v) { return decode_requested_transport(v).has_value(); }, {}, {4}},
      {"REQUESTED-ADDRESS-FAMILY", [](Bytes v) { return decode_address_family(v).has_value(); }, {}, {4}},
      {"EVEN-PORT", [](Bytes v) { return decode_even_port(v).has_value(); }, {}, {1}},
      {"RESERVATION-TOKEN", [](Bytes v) { return decode_reservation_token(v).has_value(); }, {}, {8}},
      {"PASSWORD-ALGORITHM", [](Bytes v) { return decode_password_algorithm(v).has_value(); }, {}, {4}},
      {"ERROR-CODE", [](Bytes v) { return v.size() < 4 && decode_error_code(v); }, "00000401"_hex, {}},
      {"ICMP", [](Bytes v) { return decode_icmp(v).has_value(); }, {}, {8}},
      {"CHANGE-REQUEST", [](Bytes v) { return decode_change_request(v).has_value(); }, {}, {4}},
      {"RESPONSE-PORT", [](Bytes v) { return decode_response_port(v).has_value(); }, {}, {2, 4}},
  };
  for (const Case& c : cases) {
    for (std::size_t size = 0; size <= 40; ++size) {
      INFO(c.what << " of " << size << " octets");
      Octets value(size);
      std::copy_n(c.start.begin(), std::min(size, c.start.size()), value.begin());
      CHECK(c.decodes(value) == (std::count(c.sizes.begin(), c.sizes.end(), size) == 1));
    }
  }
}

TEST_CASE("CHANGE-REQUEST has two flags and RESPONSE-PORT one port; what else stands there is ignored",
          "[stun]") {
  CHECK(decode_change_request("00000000"_hex) == ChangeRequest{false, false});
  CHECK(decode_change_request("00000004"_hex) == ChangeRequest{.ip = true, .port = false});
  CHECK(decode_change_request("00000002"_hex) == ChangeRequest{.ip = false, .port = true});
  CHECK(decode_change_request("00000006"_hex) == ChangeRequest{.ip = true, .port = true});
  CHECK(decode_change_request("fffffff9"_hex) == ChangeRequest{false, false});
  CHECK(decode_response_port("0d96 0000"_hex) == 3478);
  CHECK(decode_response_port("ffff"_hex) == 65535);
  CHECK(decode_response_port("0000 ffff"_hex) == 0);
}

TEST_CASE("an address is decoded; the octet before the family is ignored", "[stun]") {
  CHECK(decode_address("0001 0d96 c0000201"_hex) == Endpoint::parse("192.0.2.1:3478"));
  CHECK(decode_address("ff01 0000 00000000"_hex) == Endpoint::parse("0.0.0.0:0"));
  CHECK(decode_address("0002 ffff 20010db8 00000000 00000000 00000001"_hex) ==
        Endpoint::parse("[2001:db8::1]:65535"));
  // The address is not converted to IPv4, because the policy on peers has to see it unchanged.
  CHECK(decode_address("0002 0050 00000000 00000000 0000ffff 7f000001"_hex) ==
        Endpoint::parse("[::ffff:127.0.0.1]:80"));
}

TEST_CASE("a masked address is decoded with the cookie and the transaction id", "[stun]") {
  CHECK(decode_xor_address("0001 a147 e112a643"_hex, kTransactionId) == Endpoint::parse("192.0.2.1:32853"));
  CHECK(decode_xor_address("ff01 2112 2112a442"_hex, kTransactionId) == Endpoint::parse("0.0.0.0:0"));
  const Bytes ipv6 = "0002 a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"_hex;
  CHECK(decode_xor_address(ipv6, kTransactionId) ==
        Endpoint::parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
  CHECK(decode_xor_address(ipv6, TransactionId{}) !=
        Endpoint::parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
}

TEST_CASE("LIFETIME is an unsigned number of seconds", "[stun]") {
  CHECK(decode_lifetime("00000000"_hex) == 0s);
  CHECK(decode_lifetime("00000258"_hex) == 600s);
  CHECK(decode_lifetime("ffffffff"_hex) == std::chrono::seconds(0xFFFFFFFF));
}

TEST_CASE("CHANNEL-NUMBER is 0x4000 to 0x7FFF; the rest of it is ignored", "[stun]") {
  CHECK_FALSE(decode_channel_number("00000000"_hex));
  CHECK_FALSE(decode_channel_number("3fff0000"_hex));
  CHECK(decode_channel_number("40000000"_hex) == ChannelNumber::from_wire(0x4000));
  CHECK(decode_channel_number("7fffffff"_hex) == ChannelNumber::from_wire(0x7FFF));
  CHECK_FALSE(decode_channel_number("80000000"_hex));
  CHECK_FALSE(decode_channel_number("00004000"_hex));
}

TEST_CASE("REQUESTED-TRANSPORT and the families are octets as they came", "[stun]") {
  CHECK(decode_requested_transport("11000000"_hex) == kProtocolUdp);
  CHECK(decode_requested_transport("06ffffff"_hex) == kProtocolTcp);
  CHECK(decode_requested_transport("00000011"_hex) == 0);
  CHECK(decode_address_family("01000000"_hex) == 1);
  CHECK(decode_address_family("02ffffff"_hex) == 2);
  CHECK(decode_address_family("ff000000"_hex) == 0xFF);
}

TEST_CASE("EVEN-PORT is one bit", "[stun]") {
  CHECK(decode_even_port("80"_hex) == true);
  CHECK(decode_even_port("ff"_hex) == true);
  CHECK(decode_even_port("00"_hex) == false);
  CHECK(decode_even_port("7f"_hex) == false);
}

TEST_CASE("RESERVATION-TOKEN is eight octets", "[stun]") {
  CHECK(to_hex(*decode_reservation_token("0001020304050607"_hex)) == "0001020304050607");
}

TEST_CASE("PASSWORD-ALGORITHM is a number, known or not, without parameters", "[stun]") {
  CHECK(decode_password_algorithm("00010000"_hex) == 1);
  CHECK(decode_password_algorithm("00020000"_hex) == 2);
  CHECK(decode_password_algorithm("ffff0000"_hex) == 0xFFFF);
  CHECK_FALSE(decode_password_algorithm("00020001"_hex));
  CHECK_FALSE(decode_password_algorithm("00020100"_hex));
  CHECK_FALSE(decode_password_algorithm("00020004 00000000"_hex));
}

TEST_CASE("ERROR-CODE is 300 to 699 with a phrase", "[stun]") {
  struct Case {
    Bytes value;
    int code;  // 0: nothing
    std::string_view reason;
  };
  const Case cases[] = {
      {"00000401 556e617574686f72697a6564"_hex, 401, "Unauthorized"},
      {"00000300"_hex, 300, ""},
      {"00000663"_hex, 699, ""},
      {"fffffc01"_hex, 401, ""},  // the reserved bits
      {"00000464"_hex, 0, ""},
      {"000004ff"_hex, 0, ""},
      {"00000001"_hex, 0, ""},
      {"00000263"_hex, 0, ""},
      {"00000700"_hex, 0, ""},
      {"00000401 00"_hex, 401, std::string_view("\0", 1)},
  };
  for (const Case& c : cases) {
    INFO(to_hex(c.value));
    const std::optional<ErrorCodeValue> decoded = decode_error_code(c.value);
    REQUIRE(decoded.has_value() == (c.code != 0));
    if (!decoded) continue;
    CHECK(decoded->code == c.code);
    CHECK(decoded->reason == c.reason);
  }
}

TEST_CASE("ICMP is a type of 7 bits, a code of 9 and a word", "[stun]") {
  CHECK(decode_icmp("0000 0604 000005dc"_hex) == Icmp{3, 4, 1500});
  CHECK(decode_icmp("ffff 0400 00000500"_hex) == Icmp{2, 0, 1280});
  CHECK(decode_icmp("0000 ffff ffffffff"_hex) == Icmp{127, 511, 0xFFFFFFFF});
}

}  // namespace
}  // namespace turnpike::stun
