#include "turnpike/signaling/course_dialect.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "turnpike/signaling/ice_servers.hpp"
#include "turnpike/signaling/json_slice.hpp"
#include "turnpike/signaling/json_text.hpp"
#include "turnpike/signaling/name.hpp"
#include "turnpike/signaling/placeholders.hpp"

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

constexpr std::string_view kUnnamed = "Anon";

// Clients trust these events, because only the server sends them, so they are not relayed for a member.
// `welcome` and `bye` are relayed: front ends send them to each other at the beginning and the end of a call.
// To forge them gains nothing, since a member that joins and leaves, by any name, causes real ones.
constexpr std::array<std::string_view, 7> kOfServer{
    "accept_join", "error", "going_away", "reject_join", "room_change", "token_expired", "token_revoked"};
// Only the server may send this one too, but a client uses the same name for its request.
constexpr std::string_view kLeaveRoom = "leave_room";

bool is_of_server(std::string_view event) {
  return event == kLeaveRoom || std::ranges::find(kOfServer, event) != kOfServer.end();
}

std::string_view shown(std::string_view name) { return name.empty() ? kUnnamed : name; }

std::string as_json(std::string_view text) {
  return json::serialize(json::string_view(text.data(), text.size()));
}

// Returns a JSON string, or a number as it was written, since front ends name rooms by numbers too. Returns
// nothing for other JSON.
std::optional<std::string> text_or_number(std::string_view json) {
  const std::optional<json::value> value = parse_json(json);
  if (value && value->is_string()) return std::string(value->get_string());
  if (value && value->is_number()) return std::string(json);
  return std::nullopt;
}

// Returns an argument that is a text. The first lesson in Socket.IO wraps it as the lesson in WebSockets
// does: {"payload":TEXT}.
std::optional<std::string> text_argument(const std::vector<std::string_view>& arguments, std::size_t index) {
  if (index >= arguments.size()) return std::nullopt;
  const std::optional<std::string_view> wrapped = json_member(arguments[index], "payload");
  return text_or_number(wrapped.value_or(arguments[index]));
}

}  // namespace

struct CourseDialect::Handler {
  std::string_view event;
  void (CourseDialect::*handle)(Call&);
};

void CourseDialect::on_event(Call& call) {
  static constexpr std::array kHandlers{
      Handler{"join_room", &CourseDialect::join_room},     Handler{"enter_room", &CourseDialect::join_room},
      Handler{kLeaveRoom, &CourseDialect::leave_room},     Handler{"nickname", &CourseDialect::set_nickname},
      Handler{"new_message", &CourseDialect::new_message}, Handler{"chat", &CourseDialect::chat},
      Handler{"token", &CourseDialect::renew_token},
  };
  // A placeholder without its octets has no meaning, so such an event is refused.
  if (call.attachments.empty() && std::ranges::any_of(call.arguments, has_placeholder)) {
    return refuse(call, Refusal::bad_message);
  }
  const auto* handler = std::ranges::find(kHandlers, call.name, &Handler::event);
  if (handler == kHandlers.end()) return relay(call);
  (this->*handler->handle)(call);
}

// A refusal is in the acknowledgement when the client asked for one, and otherwise in an `error` event.
void CourseDialect::refuse(Call& call, Refusal refusal) {
  const json::string_view code(code_of(refusal).data(), code_of(refusal).size());
  if (call.ack)
    return socket_io_.acknowledge(call, json::serialize(json::array{json::object{{"error", code}}}));
  const json::object told{{"event", json::string_view(call.name.data(), call.name.size())},
                          {"code", code},
                          {"message", message_of(refusal)}};
  socket_io_.emit(call.socket, "error", json::serialize(told), {}, call.out);
}

void CourseDialect::conclude(Call& call, std::optional<Refusal> refusal) {
  if (refusal) return refuse(call, *refusal);
  socket_io_.acknowledge(call, "[]");
}

void CourseDialect::refuse_join(Call& call, Refusal refusal) {
  const bool is_full = refusal == Refusal::room_full;
  if (is_full) socket_io_.emit(call.socket, "reject_join", "", {}, call.out);
  socket_io_.report_refused(refusal, call.socket.session);
  if (!is_full || call.ack) refuse(call, refusal);
}

void CourseDialect::join_room(Call& call) {
  const std::optional<std::string> room = text_argument(call.arguments, 0);
  const std::optional<std::string> nickname = text_argument(call.arguments, 1);
  if (const auto lack = socket_io_.check_token(call.socket, call.now)) return refuse_join(call, *lack);
  if (!room || room->empty() || !is_name(*room)) return refuse_join(call, Refusal::bad_room);
  if (nickname && !is_name(*nickname)) return refuse_join(call, Refusal::bad_name);
  if (call.socket.allowed_room && *call.socket.allowed_room != *room)
    return refuse_join(call, Refusal::token_invalid);
  if (nickname) {
    call.socket.nickname = *nickname;
    hub_.rename(call.socket.member, *nickname, socket_io_.from_hub());
  }
  const auto peers = hub_.join(call.socket.member, *room, socket_io_.from_hub());
  if (!peers) return refuse_join(call, peers.error());
  std::vector<std::string>& rooms = call.socket.rooms;
  const bool is_first = rooms.empty();
  if (std::ranges::find(rooms, *room) == rooms.end()) rooms.push_back(*room);
  if (nickname) {
    json::array members;
    for (const Hub::Peer& peer : *peers) {
      members.push_back(json::object{{"socketId", peer.id.to_string()}, {"nickname", shown(peer.name)}});
    }
    members.push_back(
        json::object{{"socketId", call.socket.member.to_string()}, {"nickname", shown(*nickname)}});
    socket_io_.emit(call.socket, "accept_join", json::serialize(members), {}, call.out);
  }
  socket_io_.acknowledge(call, "[]");
  on_rooms_changed(call.now, call.out);
  if (const auto end = socket_io_.announced_end(); end && is_first) {
    on_end_announced(call.socket, *end, call.out);
  }
}

// Leaving a room that the socket is not in is a success as well.
void CourseDialect::leave_room(Call& call) {
  const std::optional<std::string> room = text_argument(call.arguments, 0);
  if (!room) return refuse(call, Refusal::bad_room);
  if (hub_.leave(call.socket.member, *room, socket_io_.from_hub())) {
    std::erase(call.socket.rooms, *room);
    on_rooms_changed(call.now, call.out);
  }
  socket_io_.acknowledge(call, "[]");
}

void CourseDialect::set_nickname(Call& call) {
  const std::optional<std::string> name = text_argument(call.arguments, 0);
  if (!name || !is_name(*name)) return refuse(call, Refusal::bad_name);
  call.socket.nickname = *name;
  hub_.rename(call.socket.member, *name, socket_io_.from_hub());
  socket_io_.acknowledge(call, "[]");
}

std::optional<Refusal> CourseDialect::say_in_room(Call& call, std::string_view room, MemberMessage message) {
  message.event = call.name;
  message.anonymous = true;
  return hub_.broadcast(call.socket.member, room, std::move(message), socket_io_.from_hub());
}

void CourseDialect::new_message(Call& call) {
  const std::optional<std::string> text = text_argument(call.arguments, 0);
  const std::optional<std::string> room = text_argument(call.arguments, 1);
  if (!text) return refuse(call, Refusal::bad_message);
  if (!room) return refuse(call, Refusal::bad_room);
  const std::string signed_text = std::string(shown(call.socket.nickname)).append(": ").append(*text);
  conclude(call, say_in_room(call, *room, as_json(signed_text)));
}

// The others get only the first argument, so only the octets of its placeholders are sent, with new numbers.
void CourseDialect::chat(Call& call) {
  const std::optional<std::string> room = text_argument(call.arguments, 1);
  if (!room) return refuse(call, Refusal::bad_room);
  MemberMessage message(call.arguments[0]);
  if (!call.attachments.empty()) {
    message.payload = replace_placeholders(message.payload, call.attachments.size(), [&](std::size_t number) {
      message.attachments.push_back(call.attachments[number]);
      return R"({"_placeholder":true,"num":)" + std::to_string(message.attachments.size() - 1) + '}';
    });
  }
  conclude(call, say_in_room(call, *room, std::move(message)));
}

// Replaces the token that the socket connected with. After `token_expired`, the socket joins no more rooms
// until it has sent a new token.
void CourseDialect::renew_token(Call& call) {
  const std::optional<std::string> token = text_argument(call.arguments, 0);
  if (socket_io_.settings().access == Access::open) return socket_io_.acknowledge(call, "[]");
  Result<Grant, Refusal> grant = token ? socket_io_.tokens().verify(*token, call.now.wall)
                                       : Result<Grant, Refusal>(Refusal::token_invalid);
  const auto is_other = [&](const std::string& room) { return grant->room && *grant->room != room; };
  if (grant && std::ranges::any_of(call.socket.rooms, is_other)) grant = Refusal::token_invalid;
  if (!grant) {
    socket_io_.report_refused(grant.error(), call.socket.session);
    return refuse(call, grant.error());
  }
  socket_io_.apply_grant(call.socket, *grant, call.now);
  socket_io_.acknowledge(call, "[]");
}

// Relays any other event, such as offer, answer, ice and candidate: (data, target, ...) goes to the target as
// (data, sender, ...).
void CourseDialect::relay(Call& call) {
  if (is_of_server(call.name)) return refuse(call, Refusal::servers_event);
  const std::optional<std::string> target = text_argument(call.arguments, 1);
  if (!target) return refuse(call, Refusal::bad_message);
  MemberMessage message(call.arguments[0]);
  message.event = call.name;
  message.attachments = call.attachments;
  for (std::size_t i = 2; i < call.arguments.size(); ++i)
    message.more_arguments.append(",").append(call.arguments[i]);
  const std::vector<std::string>& rooms = call.socket.rooms;
  if (std::ranges::find(rooms, *target) != rooms.end()) {
    conclude(call, hub_.broadcast(call.socket.member, *target, std::move(message), socket_io_.from_hub()));
  } else if (const std::optional<MemberId> member = MemberId::parse(*target)) {
    conclude(call, hub_.signal(call.socket.member, *member, std::move(message), socket_io_.from_hub()));
  } else {
    refuse(call, Refusal::not_joined);
  }
}

// --- The list of rooms

// Returns when the next list may be sent, or max() when no list is due.
SteadyTime CourseDialect::next_deadline() const {
  return rooms_changed_ ? list_paid_until_ - kListBurst : SteadyTime::max();
}

void CourseDialect::on_timeout(TimePoint now, EngineIo::Output& out) {
  if (next_deadline() <= now.steady) on_rooms_changed(now, out);
}

void CourseDialect::on_rooms_changed(TimePoint now, EngineIo::Output& out) {
  rooms_changed_ = socket_io_.settings().list_rooms;
  if (!rooms_changed_) return;
  if (now.steady < next_deadline()) {
    ++socket_io_.mutable_counters().room_lists_put_off;
    return;
  }
  rooms_changed_ = false;
  ++socket_io_.mutable_counters().room_lists;
  json::array names;
  for (const std::string& name : hub_.room_names()) names.emplace_back(name);
  const std::string text = json::serialize(names);
  std::uint64_t bytes = text.size();
  socket_io_.for_each_socket([&](Socket& socket) {
    socket_io_.emit(socket, "room_change", text, {}, out);
    bytes += text.size();
  });
  const Duration price(bytes * 1000 / kListBytesPerSecond + 1);  // even the shortest list costs something
  list_paid_until_ = std::max(list_paid_until_, now.steady) + price;
}

// --- Events to sockets

void CourseDialect::on_token_expired(Socket& socket, EngineIo::Output& out) {
  socket_io_.emit(socket, "token_expired", "", {}, out);
}

void CourseDialect::on_token_revoked(Socket& socket, EngineIo::Output& out) {
  socket_io_.emit(socket, "token_revoked", "", {}, out);
}

void CourseDialect::on_end_announced(Socket& socket, WallTime deadline, EngineIo::Output& out) {
  socket_io_.emit(socket, "going_away", json::serialize(json::object{{"deadline", to_rfc3339(deadline)}}), {},
                  out);
}

void CourseDialect::on_hub_event(Socket& socket, const Event& event, EngineIo::Output& out) {
  const std::string from = as_json(event.from.to_string());
  const std::string name = as_json(shown(event.name));
  const std::string count = std::to_string(event.present);
  switch (event.kind) {
    case Event::Kind::peer_joined:
      return socket_io_.emit(socket, "welcome", json_list({name, count}), {}, out);
    case Event::Kind::peer_left:
      socket_io_.emit(socket, "bye", json_list({name, count}), {}, out);
      return socket_io_.emit(socket, kLeaveRoom, json_list({from, name}), {}, out);
    case Event::Kind::peer_renamed: return;  // these front ends learn the new name from the member's messages
    case Event::Kind::signal:
    case Event::Kind::broadcast: {
      const MemberMessage& message = event.message;
      const std::string_view usual = event.kind == Event::Kind::signal ? "signal" : "broadcast";
      std::string arguments = message.payload;
      if (!message.anonymous) arguments.append(",").append(from).append(message.more_arguments);
      const bool usable =
          !message.event.empty() && !is_reserved_event(message.event) && !is_of_server(message.event);
      return socket_io_.emit(socket, usable ? message.event : usual, arguments, message.attachments, out);
    }
  }
}

}  // namespace turnpike::signaling
