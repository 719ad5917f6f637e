#include "turnpike/signaling/socket_io_packet.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "support/nested_json.hpp"

namespace turnpike::signaling {
namespace {

TEST_CASE("packets are read and written as they are", "[signaling]") {
  for (const std::string text : {
           "0",
           "0{}",
           R"(0{"token":"x"})",
           "0/custom,",
           R"(0/custom,{"a":1.10})",
           "1",
           "1/custom,",
           R"(2["hello"])",
           R"(2["hello",1.0,1e400,{"a":[null]}])",
           R"(217["hello"])",
           R"(2/custom,["x"])",
           R"(2/custom,12["x"])",
           "2[5]",
           "2[1.5,1]",
           R"(2[""])",
           "317[]",
           R"(3/custom,0["x"])",
           R"(51-["x",{"_placeholder":true,"num":0}])",
           R"(52-/custom,7["x",{"a":[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]}])",
           R"(61-7[{"_placeholder":true,"num":0}])",
           R"(50-["x"])",
           R"(218446744073709551615["x"])",
       }) {
    CAPTURE(text);
    const auto packet = decode_socket_io(text);
    REQUIRE(packet);
    CHECK(encode_socket_io(*packet) == text);
  }
}

TEST_CASE("a packet has its parts", "[signaling]") {
  const auto packet = decode_socket_io(R"(51-/custom,12["x",{"_placeholder":true,"num":0}])");
  REQUIRE(packet);
  CHECK(packet->type == SocketIoType::binary_event);
  CHECK(packet->attachments == 1);
  CHECK(packet->nsp == "/custom");
  CHECK(packet->ack == 12);
  CHECK(packet->json == R"(["x",{"_placeholder":true,"num":0}])");
  CHECK(decode_socket_io("0")->nsp == "/");
  CHECK(decode_socket_io("0/")->nsp == "/");
  CHECK(decode_socket_io("0/x")->nsp == "/x");
  CHECK_FALSE(decode_socket_io("1")->ack);
}

TEST_CASE("packets that a client may not send are refused", "[signaling]") {
  for (const std::string text : {
           "",
           "7",
           "9",
           "a",
           "4{}",
           R"(4{"message":"x"})",
           "0[]",
           "0x",
           "0\"x\"",
           "0null",
           "0{",
           "1{}",
           "2",
           "2[]",
           "2{}",
           "2\"x\"",
           "2[null]",
           "2[true]",
           "2[{}]",
           "2[[\"x\"]]",
           "2[\"x\"",
           "2[\"x\"]]",
           "2[\"x\",]",
           "2/custom",
           "2/custom[\"x\"]",
           "3[]",
           "3",
           "31",
           "31{}",
           "31\"x\"",
           R"(5["x"])",
           R"(5-["x"])",
           R"(51["x",{"_placeholder":true,"num":0}])",
           R"(51-["x"])",
           R"(50-["x",{"_placeholder":true,"num":0}])",
           R"(51-["x",{"_placeholder":true,"num":1}])",
           R"(51-["x",{"_placeholder":true,"num":-1}])",
           R"(51-["x",{"_placeholder":true,"num":0.0}])",
           R"(51-["x",{"_placeholder":true}])",
           R"(51-["x",{"_placeholder":true,"num":"0"}])",
           R"(51-["x",{"_placeholder":1,"num":0}])",
           R"(52-["x",{"_placeholder":true,"num":0}])",
           R"(51-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}])",
           R"(61-[{"_placeholder":true,"num":0}])",
           R"(-1-["x"])",
           R"(2-1["x"])",
           R"(2+1["x"])",
           "2[\"\xff\"]",
           "2[\"x\"]\x1e",
           R"(218446744073709551616["x"])",
           R"(299999999999999999999999["x"])",
           R"(54294967297-["x",{"_placeholder":true,"num":0}])",
       }) {
    CAPTURE(text);
    CHECK_FALSE(decode_socket_io(text));
  }
}

TEST_CASE("reserved names are not for clients", "[signaling]") {
  for (const std::string name :
       {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}) {
    CHECK(is_reserved_event(name));
    CHECK_FALSE(decode_socket_io("2[\"" + name + "\"]"));
    CHECK_FALSE(decode_socket_io("21[\"" + name + "\",1]"));
    CHECK_FALSE(decode_socket_io("50-[\"" + name + "\"]"));
    CHECK(decode_socket_io("2[\"" + name + "s\"]"));
  }
  CHECK_FALSE(decode_socket_io(R"(2["\u0063onnect"])"));
  CHECK_FALSE(is_reserved_event("Connect"));
}

TEST_CASE("the attachments and the depth of a packet are limited", "[signaling]") {
  const auto with = [](int count) {
    std::string text = "5" + std::to_string(count) + "-[\"x\"";
    for (int i = 0; i < count; ++i) text += R"(,{"_placeholder":true,"num":)" + std::to_string(i) + "}";
    return text + "]";
  };
  CHECK(decode_socket_io(with(SocketIoPacket::kMaxAttachments)));
  CHECK_FALSE(decode_socket_io(with(SocketIoPacket::kMaxAttachments + 1)));
  CHECK(decode_socket_io("2[\"x\"," + test::nested_arrays(SocketIoPacket::kDeepest - 1) + "]"));
  CHECK_FALSE(decode_socket_io("2[\"x\"," + test::nested_arrays(SocketIoPacket::kDeepest) + "]"));
  CHECK_FALSE(decode_socket_io("2[\"x\"," + test::nested_arrays(30'000) + "]"));
}

}  // namespace
}  // namespace turnpike::signaling
