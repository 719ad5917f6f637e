// Engine.IO 4's packets, on a WebSocket one to a frame, over HTTP several to a body with 0x1e between them. A
// binary message is a binary frame, or "b" and base64 in a body and for clients that take no binary frames.
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

// A frame's text, or one part of a body: its type and the rest of it. Nothing for an unknown type or bad
// base64.
std::optional<EngineIoPacket> decode_packet(std::string_view text);
// Nothing when any part of the body is bad, or there is none.
std::optional<std::vector<EngineIoPacket>> decode_payload(std::string_view body);

// A text packet as a frame: "4hello".
std::string encode_packet(EngineIoType type, std::string_view data);
// Appends a packet to a body.
void append_to_payload(std::string& body, const EngineIoPacket& packet);

}  // namespace turnpike::signaling
