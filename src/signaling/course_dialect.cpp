// What events mean: to front ends as WebRTC courses have them, and to the test suites of the protocol.
#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "turnpike/signaling/json_text.hpp"
#include "turnpike/signaling/name.hpp"
#include "turnpike/signaling/placeholders.hpp"
#include "turnpike/signaling/socket_io.hpp"

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

constexpr std::string_view kUnnamed = "Anon";

std::string_view shown(std::string_view name) { return name.empty() ? kUnnamed : name; }

std::string as_json(std::string_view text) {
  return json::serialize(json::string_view(text.data(), text.size()));
}

// An argument that is a text, or a number as it was written: front ends name rooms by numbers too. Nothing
// when it is absent or something else.
std::optional<std::string> text_argument(const std::vector<std::string_view>& arguments, std::size_t index) {
  if (index >= arguments.size()) return std::nullopt;
  const std::optional<json::value> value = parse_json(arguments[index]);
  if (value && value->is_string()) return std::string(value->get_string());
  if (value && value->is_number()) return std::string(arguments[index]);
  return std::nullopt;
}

std::string joined(const std::vector<std::string_view>& arguments) {
  std::string all;
  for (const std::string_view argument : arguments) all.append(all.empty() ? "" : ",").append(argument);
  return all;
}

}  // namespace

// The dialect at a glance. What is refused is acknowledged with {"error": code}, or told by the event "error"
// with {event, code, message} where no acknowledgement was asked for; a full room is told by "reject_join" as
// well. Any other event is relayed: its second argument names the room or the socket that
// it is for.
struct SocketIo::CourseEvent {
  std::string_view name;
  void (SocketIo::*handle)(Call&);
};

void SocketIo::on_course_event(Call& call) {
  static constexpr std::array kEvents{
      CourseEvent{"join_room", &SocketIo::join_room},      // (room[, ack]) or (room, nickname)
      CourseEvent{"enter_room", &SocketIo::join_room},     // likewise
      CourseEvent{"leave_room", &SocketIo::leave_room},    // (room[, ack])
      CourseEvent{"nickname", &SocketIo::set_nickname},    // (name)
      CourseEvent{"new_message", &SocketIo::new_message},  // (text, room[, ack]): others get "nickname: text"
      CourseEvent{"chat", &SocketIo::chat},                // (text, room): others get the text
      CourseEvent{"token", &SocketIo::take_token},  // (token[, ack]): a fresh one before the old expires
  };
  const auto* event = std::ranges::find(kEvents, call.name, &CourseEvent::name);
  if (event == kEvents.end()) return relay(call);
  (this->*event->handle)(call);
}

// Whoever asks for an acknowledgement is told by it, everybody else by an event of its own.
void SocketIo::turn_down(Call& call, Refusal refusal) {
  const json::string_view code(code_of(refusal).data(), code_of(refusal).size());
  if (call.ack) return acknowledge(call, json::serialize(json::array{json::object{{"error", code}}}));
  const json::object told{{"event", json::string_view(call.name.data(), call.name.size())},
                          {"code", code},
                          {"message", message_of(refusal)}};
  emit(call.socket, "error", json::serialize(told), {}, call.out);
}

void SocketIo::conclude(Call& call, std::optional<Refusal> refusal) {
  if (refusal) return turn_down(call, *refusal);
  acknowledge(call, "[]");
}

// Rooms of one namespace are none of another's; those of "/" are the ones that every protocol meets in.
std::string SocketIo::scoped(const Socket& socket, std::string_view room) const {
  return socket.nsp == "/" ? std::string(room) : socket.nsp + '\n' + std::string(room);
}

void SocketIo::join_room(Call& call) {
  const std::optional<std::string> room = text_argument(call.arguments, 0);
  const std::optional<std::string> nickname = text_argument(call.arguments, 1);
  const auto refuse = [&](Refusal refusal) {
    const bool full = refusal == Refusal::room_full;
    if (full) emit(call.socket, "reject_join", "", {}, call.out);
    note(refusal, call.socket.session);
    if (!full || call.ack) turn_down(call, refusal);
  };
  if (is_expired(call.socket, call.now)) return refuse(Refusal::token_expired);
  if (!room || room->empty() || !is_name(*room)) return refuse(Refusal::bad_room);
  if (nickname && !is_name(*nickname)) return refuse(Refusal::bad_name);
  if (call.socket.allowed_room && *call.socket.allowed_room != *room) return refuse(Refusal::token_invalid);
  if (nickname) {
    call.socket.nickname = *nickname;
    hub_.rename(call.socket.member, *nickname);
  }
  const auto peers = hub_.join(call.socket.member, scoped(call.socket, *room), from_hub_);
  if (!peers) return refuse(peers.error());
  std::vector<std::string>& rooms = call.socket.rooms;
  if (std::ranges::find(rooms, *room) == rooms.end()) rooms.push_back(*room);
  if (nickname) {
    json::array members;
    for (const Hub::Peer& peer : *peers) {
      members.push_back(json::object{{"socketId", peer.id.to_string()}, {"nickname", shown(peer.name)}});
    }
    members.push_back(
        json::object{{"socketId", call.socket.member.to_string()}, {"nickname", shown(*nickname)}});
    emit(call.socket, "accept_join", json::serialize(members), {}, call.out);
  }
  acknowledge(call, "[]");
  tell_rooms(call.now, call.out);
}

// Whoever leaves a room that it is not in has what it wants.
void SocketIo::leave_room(Call& call) {
  const std::optional<std::string> room = text_argument(call.arguments, 0);
  if (!room) return turn_down(call, Refusal::bad_room);
  if (hub_.leave(call.socket.member, scoped(call.socket, *room), from_hub_)) {
    std::erase(call.socket.rooms, *room);
    tell_rooms(call.now, call.out);
  }
  acknowledge(call, "[]");
}

void SocketIo::set_nickname(Call& call) {
  const std::optional<std::string> name = text_argument(call.arguments, 0);
  if (!name || !is_name(*name)) return turn_down(call, Refusal::bad_name);
  call.socket.nickname = *name;
  hub_.rename(call.socket.member, *name);
  acknowledge(call, "[]");
}

std::optional<Refusal> SocketIo::say_in_room(Call& call, std::string_view room, Saying saying) {
  saying.event = call.name;
  saying.anonymous = true;
  return hub_.broadcast(call.socket.member, scoped(call.socket, room), std::move(saying), from_hub_);
}

void SocketIo::new_message(Call& call) {
  const std::optional<std::string> text = text_argument(call.arguments, 0);
  const std::optional<std::string> room = text_argument(call.arguments, 1);
  if (!text) return turn_down(call, Refusal::bad_message);
  if (!room) return turn_down(call, Refusal::bad_room);
  const std::string signed_text = std::string(shown(call.socket.nickname)).append(": ").append(*text);
  conclude(call, say_in_room(call, *room, as_json(signed_text)));
}

// What the others get is the first argument alone, so only the octets that it has placeholders for go along,
// and are numbered anew.
void SocketIo::chat(Call& call) {
  const std::optional<std::string> room = text_argument(call.arguments, 1);
  if (!room) return turn_down(call, Refusal::bad_room);
  Saying saying(call.arguments[0]);
  if (!call.attachments.empty()) {
    saying.payload = replace_placeholders(saying.payload, call.attachments.size(), [&](std::size_t number) {
      saying.attachments.push_back(call.attachments[number]);
      return R"({"_placeholder":true,"num":)" + std::to_string(saying.attachments.size() - 1) + '}';
    });
  }
  conclude(call, say_in_room(call, *room, std::move(saying)));
}

// In place of the token that the socket connected with. A socket whose token has expired is told by
// `token_expired` and joins no more rooms until then.
void SocketIo::take_token(Call& call) {
  const std::optional<std::string> token = text_argument(call.arguments, 0);
  if (settings_.access == Access::open) return acknowledge(call, "[]");
  Result<Grant, Refusal> grant =
      token ? tokens_.verify(*token, call.now.wall) : Result<Grant, Refusal>(Refusal::token_invalid);
  const auto is_other = [&](const std::string& room) { return grant->room && *grant->room != room; };
  if (grant && std::ranges::any_of(call.socket.rooms, is_other)) grant = Refusal::token_invalid;
  if (!grant) {
    note(grant.error(), call.socket.session);
    return turn_down(call, grant.error());
  }
  hold_to(call.socket, *grant, call.now);
  acknowledge(call, "[]");
}

// offer, answer, ice, candidate and whatever else: (data, target, ...) goes to the target as (data, sender,
// ...).
void SocketIo::relay(Call& call) {
  const std::optional<std::string> target = text_argument(call.arguments, 1);
  if (!target) return turn_down(call, Refusal::bad_message);
  Saying saying(call.arguments[0]);
  saying.event = call.name;
  saying.attachments = call.attachments;
  for (std::size_t i = 2; i < call.arguments.size(); ++i) saying.rest.append(",").append(call.arguments[i]);
  const std::vector<std::string>& rooms = call.socket.rooms;
  if (std::ranges::find(rooms, *target) != rooms.end()) {
    conclude(call,
             hub_.broadcast(call.socket.member, scoped(call.socket, *target), std::move(saying), from_hub_));
  } else if (const std::optional<MemberId> member = MemberId::parse(*target)) {
    conclude(call, hub_.signal(call.socket.member, *member, std::move(saying), from_hub_));
  } else {
    turn_down(call, Refusal::not_joined);
  }
}

// When the next list may be written; never while none is owed.
SteadyTime SocketIo::list_due() const {
  return rooms_changed_ ? list_paid_until_ - kListBurst : SteadyTime::max();
}

void SocketIo::tell_rooms(TimePoint now, EngineIo::Output& out) {
  if (!settings_.list_rooms) return;
  rooms_changed_ = true;
  if (now.steady < list_due()) {
    ++counters_.room_lists_put_off;
    return;
  }
  rooms_changed_ = false;
  ++counters_.room_lists;
  json::array names;
  for (const std::string& name : hub_.room_names()) {
    if (name.find('\n') == std::string::npos) names.emplace_back(name);
  }
  const std::string text = json::serialize(names);
  std::uint64_t bytes = text.size();
  for (auto& [number, socket] : sockets_) {
    if (socket.nsp != "/" || socket.session == 0) continue;
    emit(socket, "room_change", text, {}, out);
    bytes += text.size();
  }
  const Duration price(bytes * 1000 / kListBytesPerSecond + 1);  // no list is free
  list_paid_until_ = std::max(list_paid_until_, now.steady) + price;
}

void SocketIo::deliver(std::span<const Delivery> deliveries, EngineIo::Output& out) {
  for (const Delivery& delivery : deliveries) {
    if (!(delivery.to & kSocketIoBit)) {
      foreign_.push_back(delivery);
      continue;
    }
    const auto it = sockets_.find(delivery.to);
    if (it == sockets_.end()) continue;
    Socket& socket = it->second;
    const Event& event = *delivery.event;
    const std::string from = as_json(event.from.to_string());
    const std::string name = as_json(shown(event.name));
    const std::string count = std::to_string(event.present);
    switch (event.kind) {
      case Event::Kind::peer_joined: emit(socket, "welcome", joined({name, count}), {}, out); break;
      case Event::Kind::peer_left:
        emit(socket, "bye", joined({name, count}), {}, out);
        emit(socket, "leave_room", joined({from, name}), {}, out);
        break;
      case Event::Kind::signal:
      case Event::Kind::broadcast: {
        const Saying& saying = event.saying;
        const std::string_view usual = event.kind == Event::Kind::signal ? "signal" : "broadcast";
        std::string arguments = saying.payload;
        if (!saying.anonymous) arguments.append(",").append(from).append(saying.rest);
        const bool usable = !saying.event.empty() && !is_reserved_event(saying.event);
        emit(socket, usable ? saying.event : usual, arguments, saying.attachments, out);
      }
    }
  }
}

void SocketIo::on_echo_event(Call& call) {
  if (call.name == "message")
    emit(call.socket, "message-back", joined(call.arguments), call.attachments, call.out);
  if (call.name == "message-with-ack")
    acknowledge(call, '[' + joined(call.arguments) + ']', call.attachments);
}

}  // namespace turnpike::signaling
