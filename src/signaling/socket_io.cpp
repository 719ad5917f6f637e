#include "turnpike/signaling/socket_io.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>

#include "turnpike/signaling/course_dialect.hpp"
#include "turnpike/signaling/json_slice.hpp"
#include "turnpike/signaling/json_text.hpp"
#include "turnpike/signaling/socket_io_echo.hpp"

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

// The limits of the events that are kept because they may have to be sent again.
constexpr std::size_t kMaxSent = 1000;
constexpr std::size_t kMaxSentBytes = 256 << 10;
// The attachments of one event may always have this many octets together.
constexpr std::size_t kMinAttached = 2560 << 10;

// Parses a part of a decoded packet, which is JSON.
json::value parse(std::string_view text) { return parse_json(text).value_or(nullptr); }

std::string text_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

// The offset of the last event that a client has seen; 0 when it names none, since nothing has come yet.
// Nothing when what it names is no offset.
std::optional<std::uint64_t> offset_of(const json::object& auth) {
  const json::value* named = auth.if_contains("offset");
  if (!named) return 0;
  if (!named->is_string()) return std::nullopt;
  const std::string_view text(named->get_string());
  if (text.empty()) return 0;
  std::uint64_t offset = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return offset;
}

std::unique_ptr<SocketIo::Application> make_application(Preset preset, SocketIo& socket_io) {
  if (preset == Preset::echo) return std::make_unique<SocketIoEcho>(socket_io);
  return std::make_unique<CourseDialect>(socket_io);
}

}  // namespace

SocketIo::SocketIo(const Params& params)
    : hub_(params.hub),
      tokens_(params.tokens),
      random_(params.random),
      settings_(params.settings),
      application_(make_application(settings_.preset, *this)) {}

SocketIo::~SocketIo() = default;

void SocketIo::set(const Settings& settings, TimePoint now, EngineIo::Output& out) {
  const bool lists_now = settings.list_rooms && !settings_.list_rooms;
  if (settings.preset != settings_.preset) application_ = make_application(settings.preset, *this);
  settings_ = settings;
  if (lists_now) application_->on_rooms_changed(now, out);
}

void SocketIo::announce_end(WallTime deadline, EngineIo::Output& out) {
  end_ = deadline;
  for (auto& [number, socket] : sockets_) {
    if (!socket.rooms.empty()) application_->on_end_announced(socket, deadline, out);
  }
}

void SocketIo::on_session(SessionKey session, const EngineIo::Opening& opening, TimePoint now) {
  Client& client = clients_[session];
  client.session = session;
  client.opening = opening;
  client.most_attached = std::max(kMinAttached, settings_.max_payload);
  deadlines_.set(session, client.deadline, now.steady + settings_.connect_timeout);
}

void SocketIo::on_message(SessionKey session, std::string_view data, bool binary, TimePoint now,
                          EngineIo::Output& out) {
  Client& client = clients_.at(session);
  // This frame is not what has to come next.
  if (binary != (client.missing > 0)) return engine_->close(session);
  if (binary) {
    client.attachment_bytes += data.size();
    if (client.attachment_bytes > client.most_attached) {
      report_refused(Refusal::too_much_attached, session);
      return engine_->close(session);
    }
    client.attachments.push_back(std::make_shared<const std::string>(data));
    if (--client.missing > 0) return;
    const std::string text = std::exchange(client.partial, {});
    client.attachment_bytes = 0;
    return handle_packet(client, *decode_socket_io(text), std::exchange(client.attachments, {}), now, out);
  }
  const std::optional<SocketIoPacket> packet = decode_socket_io(data);
  if (!packet) return engine_->close(session);
  if (packet->attachments > 0) {
    const std::string nsp(packet->nsp);
    if (!client.sockets.contains(nsp) && !client.put_out.contains(nsp)) return engine_->close(session);
    client.partial = data;
    client.missing = packet->attachments;
    return;
  }
  handle_packet(client, *packet, {}, now, out);
}

void SocketIo::handle_packet(Client& client, const SocketIoPacket& packet, Attachments attachments,
                             TimePoint now, EngineIo::Output& out) {
  if (packet.type == SocketIoType::connect) {
    connect(client, packet, now, out);
    return flush_hub(out);
  }
  const auto number = client.sockets.find(std::string(packet.nsp));
  if (number == client.sockets.end()) {
    if (!client.put_out.contains(std::string(packet.nsp))) engine_->close(client.session);
    return;
  }
  if (packet.type == SocketIoType::disconnect) {
    disconnect(client, packet.nsp, now, out);
  } else if (packet.type == SocketIoType::event || packet.type == SocketIoType::binary_event) {
    Call call{.socket = sockets_.at(number->second),
              .name = {},
              .arguments = json_elements(packet.json),
              .attachments = attachments,
              .ack = packet.ack,
              .now = now,
              .out = out};
    const json::value first = parse(call.arguments.front());
    const std::string name(first.is_string() ? std::string_view(first.get_string()) : call.arguments.front());
    call.name = name;
    call.arguments.erase(call.arguments.begin());
    application_->on_event(call);
  }
  flush_hub(out);  // clients' acknowledgements are ignored, since nothing here asks for one
}

void SocketIo::connect(Client& client, const SocketIoPacket& packet, TimePoint now, EngineIo::Output& out) {
  const std::string nsp(packet.nsp);
  if (client.sockets.contains(nsp)) return engine_->close(client.session);
  client.put_out.erase(nsp);
  if (!application_->has_namespace(nsp)) {
    return refuse(client, nsp, R"({"message":"Invalid namespace"})", out);
  }
  Grant grant;
  if (settings_.access == Access::token) {
    const json::value auth = parse(packet.json.empty() ? "{}" : packet.json);
    std::string token = text_member(auth.get_object(), "token");
    if (token.empty()) token = client.opening.token;
    Result<Grant, Refusal> verified =
        token.empty() ? Result<Grant, Refusal>(Refusal::token_required) : tokens_.verify(token, now.wall);
    if (!verified) {
      report_refused(verified.error(), client.session);
      const json::object error{{"message", message_of(verified.error())},
                               {"data", json::object{{"code", code_of(verified.error())}}}};
      return refuse(client, nsp, json::serialize(error), out);
    }
    grant = std::move(*verified);
  }
  if (!client.connected) {
    client.connected = true;
    deadlines_.clear(client.session, client.deadline);
  }
  if (settings_.recovery > Duration::zero() && recover(client, packet, grant, now, out)) return;
  open_socket(client, packet, grant, now, out);
}

void SocketIo::refuse(const Client& client, std::string_view nsp, std::string_view message,
                      EngineIo::Output& out) {
  SocketIoPacket packet;
  packet.type = SocketIoType::connect_error;
  packet.nsp = nsp;
  packet.json = message;
  engine_->send(client.session, encode_socket_io(packet), false, out);
}

void SocketIo::report_refused(Refusal why, SessionKey session) {
  if (!key_of(why).empty()) refused_.push_back({why, clients_.at(session).opening.address});
}

std::optional<Refusal> SocketIo::check_token(const Socket& socket, TimePoint now) const {
  if (settings_.access == Access::open) return std::nullopt;
  if (!socket.good_until) return Refusal::token_required;
  if (*socket.good_until <= now.wall) return Refusal::token_expired;
  return std::nullopt;
}

void SocketIo::apply_grant(Socket& socket, const Grant& grant, TimePoint now) {
  socket.allowed_room = grant.room;
  socket.good_until = grant.good_until;
  hub_.renew_token(socket.member, grant.subject, std::nullopt, grant.id, grant.issued);
  watch_token(socket, now);
}

// The client is told once that its token has expired. The wall clock may be set before that, so it is read
// again then.
void SocketIo::watch_token(Socket& socket, TimePoint now) {
  token_deadlines_.clear(socket.number, socket.token_deadline);
  if (!socket.good_until || *socket.good_until <= now.wall) return;
  const Duration left = std::chrono::ceil<Duration>(*socket.good_until - now.wall);
  token_deadlines_.set(socket.number, socket.token_deadline, now.steady + left);
}

void SocketIo::open_socket(Client& client, const SocketIoPacket& packet, const Grant& grant, TimePoint now,
                           EngineIo::Output& out) {
  const SocketNumber number = ++last_number_;
  Socket& socket = sockets_[number];
  socket.number = number;
  socket.session = client.session;
  socket.nsp = packet.nsp;
  apply_grant(socket, grant, now);
  socket.member = hub_.add_member({.connection = number,
                                   .address = client.opening.address,
                                   .name = {},
                                   .role = grant.role,
                                   .quota_user = grant.subject,
                                   .token_id = grant.id,
                                   .issued = grant.issued});
  client.sockets.emplace(socket.nsp, number);
  std::string answer = R"({"sid":")" + socket.member.to_string() + '"';
  if (settings_.recovery > Duration::zero()) {
    socket.pid = MemberId::random(random_).to_string();
    by_pid_.emplace(socket.pid, number);
    answer.append(R"(,"pid":")").append(socket.pid).append("\"");
  }
  answer += '}';
  SocketIoPacket connected;
  connected.type = SocketIoType::connect;
  connected.nsp = socket.nsp;
  connected.json = answer;
  send(socket, connected, {}, out);
  application_->on_connect(socket, packet.json, out);
}

// A client that was disconnected gets its former socket back, and the events that it has not received.
bool SocketIo::recover(Client& client, const SocketIoPacket& packet, const Grant& grant, TimePoint now,
                       EngineIo::Output& out) {
  const json::value auth = parse(packet.json.empty() ? "{}" : packet.json);
  const auto number = by_pid_.find(text_member(auth.get_object(), "pid"));
  const std::optional<std::uint64_t> offset = offset_of(auth.get_object());
  if (number == by_pid_.end() || !offset) return false;
  Socket& socket = sockets_.at(number->second);
  const std::uint64_t oldest = socket.last_offset - socket.sent.size();
  if (socket.nsp != packet.nsp || *offset > socket.last_offset || *offset < oldest) return false;
  if (socket.allowed_room != grant.room) return false;  // this token is for other rooms
  if (!hub_.resume(hub_.resume_secret(socket.member), socket.number, client.opening.address, now,
                   from_hub_)) {
    return false;
  }

  if (const auto old = clients_.find(socket.session); old != clients_.end()) {  // its end was not noticed yet
    old->second.sockets.erase(socket.nsp);
    engine_->close(old->first);
  }
  deadlines_.clear(socket.number, socket.deadline);
  socket.session = client.session;
  apply_grant(socket, grant, now);
  client.sockets.emplace(socket.nsp, socket.number);
  const std::string answer = R"({"sid":")" + socket.member.to_string() + R"(","pid":")" + socket.pid + "\"}";
  SocketIoPacket connected;
  connected.type = SocketIoType::connect;
  connected.nsp = socket.nsp;
  connected.json = answer;
  send(socket, connected, {}, out);
  for (const Sent& sent : socket.sent) {
    if (sent.offset <= *offset) continue;
    engine_->send(socket.session, sent.text, false, out);
    for (const MemberMessage::Attachment& attachment : sent.attachments) {
      engine_->send(socket.session, *attachment, true, out);
    }
  }
  return true;
}

void SocketIo::disconnect(Client& client, std::string_view nsp, TimePoint now, EngineIo::Output& out) {
  const auto number = client.sockets.find(std::string(nsp));
  close_socket(sockets_.at(number->second), now, out);
  client.sockets.erase(number);
}

void SocketIo::close_revoked(std::span<const ConnectionId> connections, TimePoint now,
                             EngineIo::Output& out) {
  for (const ConnectionId number : connections) {
    const auto found = sockets_.find(number);
    if (found == sockets_.end()) continue;
    Socket& socket = found->second;
    if (const auto client = clients_.find(socket.session); client != clients_.end()) {
      application_->on_token_revoked(socket, out);
      SocketIoPacket packet;
      packet.type = SocketIoType::disconnect;
      packet.nsp = socket.nsp;
      engine_->send(socket.session, encode_socket_io(packet), false, out);
      client->second.sockets.erase(socket.nsp);
      client->second.put_out.insert(socket.nsp);
    }
    close_socket(socket, now, out);
  }
}

void SocketIo::close_socket(Socket& socket, TimePoint now, EngineIo::Output& out) {
  const bool was_in_rooms = !socket.rooms.empty();
  hub_.remove(socket.member, from_hub_);
  deadlines_.clear(socket.number, socket.deadline);
  token_deadlines_.clear(socket.number, socket.token_deadline);
  by_pid_.erase(socket.pid);
  sockets_.erase(socket.number);
  if (was_in_rooms) application_->on_rooms_changed(now, out);
}

void SocketIo::on_session_closed(SessionKey session, bool, TimePoint now, EngineIo::Output& out) {
  const auto it = clients_.find(session);
  Client client = std::move(it->second);
  clients_.erase(it);
  deadlines_.clear(session, client.deadline);
  for (const auto& [nsp, number] : client.sockets) {
    Socket& socket = sockets_.at(number);
    if (settings_.recovery == Duration::zero() || socket.pid.empty()) {
      close_socket(socket, now, out);
      continue;
    }
    socket.session = 0;
    hub_.disconnect(socket.member, false, now, from_hub_);
    deadlines_.set(number, socket.deadline, now.steady + settings_.recovery);
  }
  flush_hub(out);
}

void SocketIo::send(const Socket& socket, const SocketIoPacket& packet, const Attachments& attachments,
                    EngineIo::Output& out) {
  engine_->send(socket.session, encode_socket_io(packet), false, out);
  for (const MemberMessage::Attachment& attachment : attachments)
    engine_->send(socket.session, *attachment, true, out);
}

void SocketIo::emit(Socket& socket, std::string_view name, std::string_view arguments,
                    const Attachments& attachments, EngineIo::Output& out) {
  std::string event = "[" + json::serialize(json::string_view(name.data(), name.size()));
  if (!arguments.empty()) event.append(",").append(arguments);
  const bool recoverable = !socket.pid.empty();
  if (recoverable) event.append(",\"").append(std::to_string(++socket.last_offset)).append("\"");
  event += ']';
  SocketIoPacket packet;
  packet.type = attachments.empty() ? SocketIoType::event : SocketIoType::binary_event;
  packet.attachments = static_cast<std::uint32_t>(attachments.size());
  packet.nsp = socket.nsp;
  packet.json = event;
  send(socket, packet, attachments, out);
  if (!recoverable) return;
  socket.sent.push_back({socket.last_offset, encode_socket_io(packet), attachments});
  const auto bytes_of = [](const Sent& sent) {
    std::size_t bytes = sent.text.size();
    for (const MemberMessage::Attachment& attachment : sent.attachments) bytes += attachment->size();
    return bytes;
  };
  socket.sent_bytes += bytes_of(socket.sent.back());
  while (socket.sent.size() > kMaxSent || socket.sent_bytes > kMaxSentBytes) {
    socket.sent_bytes -= bytes_of(socket.sent.front());
    socket.sent.pop_front();
  }
}

void SocketIo::acknowledge(const Call& call, std::string_view arguments, const Attachments& attachments) {
  if (!call.ack) return;
  SocketIoPacket packet;
  packet.type = attachments.empty() ? SocketIoType::ack : SocketIoType::binary_ack;
  packet.attachments = static_cast<std::uint32_t>(attachments.size());
  packet.nsp = call.socket.nsp;
  packet.ack = call.ack;
  packet.json = arguments;
  send(call.socket, packet, attachments, call.out);
}

void SocketIo::deliver(std::span<const Delivery> deliveries, EngineIo::Output& out) {
  for (const Delivery& delivery : deliveries) {
    if (!(delivery.to & kSocketIoBit)) {
      foreign_.push_back(delivery);
    } else if (const auto socket = sockets_.find(delivery.to); socket != sockets_.end()) {
      application_->on_hub_event(socket->second, *delivery.event, out);
    }
  }
}

void SocketIo::flush_hub(EngineIo::Output& out) {
  const Hub::Output told = std::exchange(from_hub_, {});
  deliver(told.deliveries, out);
}

void SocketIo::on_timeout(TimePoint now, EngineIo::Output& out) {
  while (deadlines_.next() <= now.steady) {
    const std::uint64_t whose = deadlines_.first();
    if (whose & kSocketIoBit) {
      close_socket(sockets_.at(whose), now, out);
    } else {
      deadlines_.clear(whose, clients_.at(whose).deadline);
      engine_->close(whose);
    }
  }
  while (token_deadlines_.next() <= now.steady) {
    Socket& socket = sockets_.at(token_deadlines_.first());
    watch_token(socket, now);
    if (check_token(socket, now) && socket.session != 0) application_->on_token_expired(socket, out);
  }
  application_->on_timeout(now, out);
  flush_hub(out);
}

SteadyTime SocketIo::next_deadline() const {
  return std::min({deadlines_.next(), token_deadlines_.next(), application_->next_deadline()});
}

}  // namespace turnpike::signaling
