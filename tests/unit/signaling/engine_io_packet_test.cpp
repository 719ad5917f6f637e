#include "turnpike/signaling/engine_io_packet.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace turnpike::signaling {
namespace {

using namespace std::string_literals;

TEST_CASE("a packet is a digit and the rest", "[signaling]") {
  const EngineIoType types[] = {EngineIoType::open, EngineIoType::close,   EngineIoType::ping,
                                EngineIoType::pong, EngineIoType::message, EngineIoType::upgrade,
                                EngineIoType::noop};
  for (const EngineIoType type : types) {
    for (const std::string data : {"", "probe", "4", "b", "a\0b", "한국"}) {
      const std::string text = encode_packet(type, data);
      CHECK(text == std::string(1, static_cast<char>(type)) + data);
      const auto packet = decode_packet(text);
      REQUIRE(packet);
      CHECK(packet->type == type);
      CHECK_FALSE(packet->binary);
      CHECK(packet->data == data);
    }
  }
  CHECK(encode_packet(EngineIoType::message, "hello") == "4hello");
}

TEST_CASE("what is no packet is nothing", "[signaling]") {
  for (const std::string text : {"", "7", "9x", "a", "B", " 4", "\x1e", "/", "-1", "\xff", "b4", "bAAA",
                                 "bAA=A", "bAA==\n", "b AA=", "bAB==", "b====", "b="}) {
    CAPTURE(text);
    CHECK_FALSE(decode_packet(text));
  }
  CHECK_FALSE(decode_packet("\0"s));
}

TEST_CASE("octets travel as base64 in a body", "[signaling]") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t size = 0; size <= all.size(); size += size < 5 ? 1 : 83) {
    const std::string octets = all.substr(all.size() - size);
    std::string body;
    append_to_payload(body, {EngineIoType::message, true, octets});
    CHECK(body.front() == 'b');
    const auto packet = decode_packet(body);
    REQUIRE(packet);
    CHECK(packet->type == EngineIoType::message);
    CHECK(packet->binary);
    CHECK(packet->data == octets);
  }
  std::string body;
  append_to_payload(body, {EngineIoType::message, true, "\1\2\3\4"});
  CHECK(body == "bAQIDBA==");
}

TEST_CASE("a body is packets with 0x1e between them", "[signaling]") {
  std::string body;
  append_to_payload(body, {EngineIoType::message, false, "hello"});
  append_to_payload(body, {EngineIoType::ping, false, ""});
  append_to_payload(body, {EngineIoType::message, true, "\1\2\3\4"});
  append_to_payload(body, {EngineIoType::message, false, ""});
  CHECK(body ==
        "4hello\x1e"
        "2\x1e"
        "bAQIDBA==\x1e"
        "4");
  const auto packets = decode_payload(body);
  REQUIRE(packets);
  REQUIRE(packets->size() == 4);
  CHECK((*packets)[0].data == "hello");
  CHECK((*packets)[1].type == EngineIoType::ping);
  CHECK((*packets)[2].binary);
  CHECK((*packets)[2].data == "\1\2\3\4");
  CHECK((*packets)[3].data.empty());
}

TEST_CASE("a body is good as a whole or not at all", "[signaling]") {
  for (const std::string body : {"", "\x1e", "4a\x1e",
                                 "\x1e"
                                 "4a",
                                 "4a\x1e\x1e"
                                 "4b",
                                 "4a\x1e"
                                 "9",
                                 "4a\x1e"
                                 "bA",
                                 "abc"}) {
    CAPTURE(body);
    CHECK_FALSE(decode_payload(body));
  }
  const auto many = decode_payload("6" + [] {
    std::string rest;
    for (int i = 1; i < 30'000; ++i)
      rest +=
          "\x1e"
          "6";
    return rest;
  }());
  REQUIRE(many);
  CHECK(many->size() == 30'000);
}

}  // namespace
}  // namespace turnpike::signaling
