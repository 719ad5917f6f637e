#include "turnpike/signaling/engine_io_packet.hpp"

#include "turnpike/crypto/base64.hpp"

namespace turnpike::signaling {
namespace {

constexpr char kSeparator = '\x1e';
constexpr char kBinary = 'b';

}  // namespace

std::optional<EngineIoPacket> decode_packet(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const char type = text.front();
  text.remove_prefix(1);
  if (type == kBinary) {
    const auto bytes = crypto::base64_decode(text);
    if (!bytes) return std::nullopt;
    return EngineIoPacket{EngineIoType::message, true, std::string(as_text(*bytes))};
  }
  if (type < '0' || type > '6') return std::nullopt;
  return EngineIoPacket{static_cast<EngineIoType>(type), false, std::string(text)};
}

std::optional<std::vector<EngineIoPacket>> decode_payload(std::string_view body) {
  std::vector<EngineIoPacket> packets;
  for (;;) {
    const std::size_t end = body.find(kSeparator);
    std::optional<EngineIoPacket> packet = decode_packet(body.substr(0, end));
    if (!packet) return std::nullopt;
    packets.push_back(std::move(*packet));
    if (end == std::string_view::npos) return packets;
    body.remove_prefix(end + 1);
  }
}

std::string encode_packet(EngineIoType type, std::string_view data) {
  return std::string(1, static_cast<char>(type)).append(data);
}

void append_to_payload(std::string& body, const EngineIoPacket& packet) {
  if (!body.empty()) body += kSeparator;
  if (packet.binary) {
    body += kBinary;
    body += crypto::base64_encode(as_bytes(packet.data));
  } else {
    body += static_cast<char>(packet.type);
    body += packet.data;
  }
}

}  // namespace turnpike::signaling
