// The packets of Engine.IO 4. A WebSocket frame has one packet. An HTTP body has one or more, with 0x1e
// between them. A binary message is a binary frame; in a body, and for clients that take no binary frames, it
// is "b" followed by base64.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::signaling {

// The digit that a packet starts with.
enum class EngineIoType : char {
  open = '0',
  close = '1',
  ping = '2',
  pong = '3',
  message = '4',
  upgrade = '5',
  noop = '6',
};

// A message may be binary; everything else is text.
struct EngineIoPacket {
  EngineIoType type = EngineIoType::message;
  bool binary = false;
  std::string data;
};

// Decodes the text of a frame, or one part of a body. Returns nothing for an unknown type or malformed
// base64.
std::optional<EngineIoPacket> decode_packet(std::string_view text);
// Decodes all packets of a body. Returns nothing when one of them is malformed, or when the body is empty.
std::optional<std::vector<EngineIoPacket>> decode_payload(std::string_view body);

// A text packet as a frame: "4hello".
std::string encode_packet(EngineIoType type, std::string_view data);
// Appends a packet to a body.
void append_to_payload(std::string& body, const EngineIoPacket& packet);

}  // namespace turnpike::signaling
