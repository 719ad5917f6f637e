// Socket.IO 5's packets inside Engine.IO's messages: TYPE[ATTACHMENTS-][NAMESPACE,][ACK][JSON]. The JSON is
// judged by a parser and otherwise left as it came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::signaling {

enum class SocketIoType : char {
  connect = '0',
  disconnect = '1',
  event = '2',
  ack = '3',
  connect_error = '4',
  binary_event = '5',
  binary_ack = '6',
};

// Views the text that it was decoded from.
struct SocketIoPacket {
  static constexpr std::uint32_t kMaxAttachments = 10;
  static constexpr std::size_t kDeepest = 32;  // the deepest nesting of JSON

  SocketIoType type = SocketIoType::event;
  std::uint32_t attachments = 0;
  std::string_view nsp = "/";
  std::optional<std::uint64_t> ack;
  std::string_view json;  // an object for connect, an array for events and acks; may be empty for the others
};

// Decodes a packet of a client. Nothing when a client may not send it: it has another type, JSON of the wrong
// kind, a reserved event name, or too many attachments.
std::optional<SocketIoPacket> decode_socket_io(std::string_view text);

// Whether the client library closes its connection when it gets an event of this name.
bool is_reserved_event(std::string_view name);

std::string encode_socket_io(const SocketIoPacket& packet);

}  // namespace turnpike::signaling
