#include "turnpike/signaling/socket_io_packet.hpp"

#include <algorithm>
#include <array>
#include <boost/json/value.hpp>
#include <charconv>

#include "turnpike/signaling/json_text.hpp"

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

// Client libraries use these names for events of their own, so other events must not have them.
constexpr std::array<std::string_view, 6> kReserved{"connect",       "connect_error", "disconnect",
                                                    "disconnecting", "newListener",   "removeListener"};

// Takes decimal digits from the front. Returns nothing when there are none, or when the number is too large.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool has_attachments(SocketIoType type) {
  return type == SocketIoType::binary_event || type == SocketIoType::binary_ack;
}

bool is_event(const json::array& arguments) {
  if (arguments.empty()) return false;
  if (arguments[0].is_number()) return true;
  if (!arguments[0].is_string()) return false;
  const std::string_view name(arguments[0].get_string());
  return !is_reserved_event(name);
}

// Returns how many placeholders stand for attachments, or nothing when one stands for an attachment that does
// not exist.
std::optional<std::size_t> count_placeholders(const json::value& value, std::uint32_t attachments) {
  std::size_t count = 0;
  const auto add = [&](const json::value& part) {
    const auto inside = count_placeholders(part, attachments);
    if (inside) count += *inside;
    return inside.has_value();
  };
  if (const json::array* array = value.if_array()) {
    if (!std::ranges::all_of(*array, add)) return std::nullopt;
  } else if (const json::object* object = value.if_object()) {
    const json::value* placeholder = object->if_contains("_placeholder");
    if (placeholder && placeholder->is_bool() && placeholder->get_bool()) {
      const json::value* number = object->if_contains("num");
      const bool exists = number && number->is_int64() && number->get_int64() >= 0 &&
                          number->get_int64() < std::int64_t{attachments};
      return exists ? std::optional<std::size_t>(1) : std::nullopt;
    }
    for (const auto& member : *object) {
      if (!add(member.value())) return std::nullopt;
    }
  }
  return count;
}

bool has_right_json(const SocketIoPacket& packet) {
  if (packet.json.empty()) {
    return packet.type == SocketIoType::connect || packet.type == SocketIoType::disconnect;
  }
  const std::optional<json::value> parsed = parse_json(packet.json, SocketIoPacket::kDeepest);
  if (!parsed) return false;
  const json::value& value = *parsed;
  // The receiver's library closes its connection when a packet has a wrong number of placeholders.
  if (has_attachments(packet.type) && count_placeholders(value, packet.attachments) != packet.attachments)
    return false;
  switch (packet.type) {
    case SocketIoType::connect: return value.is_object();
    case SocketIoType::event:
    case SocketIoType::binary_event: return value.is_array() && is_event(value.get_array());
    case SocketIoType::ack:
    case SocketIoType::binary_ack: return value.is_array() && packet.ack.has_value();
    default: return false;
  }
}

}  // namespace

bool is_reserved_event(std::string_view name) {
  return std::ranges::find(kReserved, name) != kReserved.end();
}

std::optional<SocketIoPacket> decode_socket_io(std::string_view text) {
  SocketIoPacket packet;
  if (text.empty() || text.front() < '0' || text.front() > '6' || text.front() == '4') return std::nullopt;
  packet.type = static_cast<SocketIoType>(text.front());
  text.remove_prefix(1);
  if (has_attachments(packet.type)) {
    const auto count = take_number(text);
    if (!count || *count > SocketIoPacket::kMaxAttachments || !text.starts_with('-')) return std::nullopt;
    packet.attachments = static_cast<std::uint32_t>(*count);
    text.remove_prefix(1);
  }
  if (text.starts_with('/')) {
    const std::size_t end = std::min(text.find(','), text.size());
    packet.nsp = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    packet.ack = take_number(text);
    if (!packet.ack) return std::nullopt;
  }
  packet.json = text;
  if (!has_right_json(packet)) return std::nullopt;
  return packet;
}

std::string encode_socket_io(const SocketIoPacket& packet) {
  std::string text(1, static_cast<char>(packet.type));
  if (has_attachments(packet.type)) text.append(std::to_string(packet.attachments)).append("-");
  if (packet.nsp != "/") text.append(packet.nsp).append(",");
  if (packet.ack) text.append(std::to_string(*packet.ack));
  return text.append(packet.json);
}

}  // namespace turnpike::signaling
