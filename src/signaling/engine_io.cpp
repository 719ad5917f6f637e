#include "turnpike/signaling/engine_io.hpp"

#include <algorithm>

#include "turnpike/base/text.hpp"
#include "turnpike/signaling/member_id.hpp"

namespace turnpike::signaling {
namespace {

constexpr unsigned kOk = 200;
constexpr unsigned kBadRequest = 400;
constexpr unsigned kTooMany = 429;
constexpr std::string_view kProbe = "probe";
constexpr SteadyTime kAtNextCall{};  // a deadline for which on_timeout() is called next

void refuse(RequestId request, EngineIoError error, EngineIo::Output& out) {
  out.answers.push_back({request, kBadRequest, to_json(error)});
}

}  // namespace

std::string to_json(EngineIoError error) {
  switch (error) {
    case EngineIoError::transport_unknown: return R"({"code":0,"message":"Transport unknown"})";
    case EngineIoError::session_unknown: return R"({"code":1,"message":"Session ID unknown"})";
    case EngineIoError::bad_handshake_method: return R"({"code":2,"message":"Bad handshake method"})";
    case EngineIoError::bad_request: return R"({"code":3,"message":"Bad request"})";
    case EngineIoError::forbidden: return R"({"code":4,"message":"Forbidden"})";
    case EngineIoError::unsupported_version: return R"({"code":5,"message":"Unsupported protocol version"})";
  }
  return {};
}

void EngineIo::Output::clear() {
  answers.clear();
  frames.clear();
  closes.clear();
  closes_after_next.clear();
  asks_when_sent.clear();
  crowded.clear();
  slow.clear();
}

std::string EngineIo::too_many_sessions() {
  return R"({"code":3,"message":"Too many sessions from this address"})";
}

void EngineIo::set_params(const Params& params) {
  params_ = params;
  queues_.max_waiting = params.max_waiting;
  queues_.max_packets = params.max_packets;
  sessions_from_.set_limit(params.sessions_per_address);
}

EngineIo::Session* EngineIo::find(SessionKey key) {
  const auto it = sessions_.find(key);
  return it == sessions_.end() ? nullptr : &it->second;
}

// Deadlines are also checked here, since a request may come before the timer.
EngineIo::Session* EngineIo::find(std::string_view sid, TimePoint now, Output& out) {
  const auto key = by_sid_.find(std::string(sid));
  if (key == by_sid_.end()) return nullptr;
  Session* session = find(key->second);
  if (session->expects_pong && session->ping_due <= now.steady) {
    end(*session, EngineIoType::close, false, now, out);
    return nullptr;
  }
  if (session->upgrade_due <= now.steady) on_upgrade_due(*session, out);
  return session;
}

EngineIo::Session* EngineIo::begin(const Opening& opening, TimePoint now) {
  if (!sessions_from_.take(opening.address)) return nullptr;
  const SessionKey key = ++last_key_;
  Session& session = sessions_.try_emplace(key, queues_).first->second;
  session.key = key;
  session.source = opening.address;
  session.base64 = opening.base64;
  session.sid = MemberId::random(random_).to_string();
  session.ping_interval = params_.ping_interval;
  session.ping_timeout = params_.ping_timeout;
  session.max_payload = params_.max_payload;
  session.ping_due = now.steady + session.ping_interval;
  session.upgrade_due = session.fetch_due = SteadyTime::max();
  by_sid_.emplace(session.sid, key);
  set_deadline(session);
  application_.on_session(key, opening, now);
  return &session;
}

std::string EngineIo::handshake(const Session& session) {
  std::string json = R"({"sid":")" + session.sid + R"(","upgrades":[)";
  if (session.web_socket == 0) json += R"("websocket")";
  json.append(R"(],"pingInterval":)").append(std::to_string(session.ping_interval.count()));
  json.append(R"(,"pingTimeout":)").append(std::to_string(session.ping_timeout.count()));
  json.append(R"(,"maxPayload":)").append(std::to_string(session.max_payload)).append("}");
  return encode_packet(EngineIoType::open, json);
}

void EngineIo::open(RequestId request, const Opening& opening, TimePoint now, Output& out) {
  const Session* session = begin(opening, now);
  if (!session) {
    out.crowded.push_back(opening.address);
    out.answers.push_back({request, kTooMany, too_many_sessions()});
    return;
  }
  out.answers.push_back({request, kOk, handshake(*session)});
}

void EngineIo::open_web_socket(WebSocketId web_socket, const Opening& opening, TimePoint now, Output& out) {
  Session* session = begin(opening, now);
  if (!session) {
    out.crowded.push_back(opening.address);
    out.closes.push_back(web_socket);
    return;
  }
  session->web_socket = web_socket;
  by_web_socket_.emplace(web_socket, session->key);
  out.frames.push_back({web_socket, share_text(handshake(*session)), false});
}

void EngineIo::get(std::string_view sid, RequestId request, TimePoint now, Output& out) {
  Session* session = find(sid, now, out);
  if (!session) return refuse(request, EngineIoError::session_unknown, out);
  if (session->web_socket != 0) return refuse(request, EngineIoError::bad_request, out);
  if (session->waiting_get != 0) {
    refuse(request, EngineIoError::bad_request, out);
    return end(*session, EngineIoType::close, false, now, out);
  }
  if (session->is_overdue()) drop_probe(*session, out);
  session->waiting_get = request;
  by_get_.emplace(request, session->key);
  if (session->waiting.is_empty() && session->probed)
    send_packet(*session, {EngineIoType::noop, false, {}}, out);
  const bool fetches = !session->waiting.is_empty();
  release_get(*session, out);
  if (!fetches) return;
  session->fetch_due = session->waiting.has_excess() ? now.steady + kFetchTime : SteadyTime::max();
  set_deadline(*session);
}

void EngineIo::post(std::string_view sid, RequestId request, std::string_view body, TimePoint now,
                    Output& out) {
  Session* session = find(sid, now, out);
  if (!session) return refuse(request, EngineIoError::session_unknown, out);
  if (session->web_socket != 0) return refuse(request, EngineIoError::bad_request, out);
  // The text has to be UTF-8, since it may be sent on a WebSocket later (RFC 6455 §8.1).
  const auto packets = is_utf8(body) ? decode_payload(body) : std::nullopt;
  if (!packets) {
    refuse(request, EngineIoError::bad_request, out);
    return end(*session, EngineIoType::close, false, now, out);
  }
  out.answers.push_back({request, kOk, "ok"});
  const SessionKey key = session->key;
  for (const EngineIoPacket& packet : *packets) {
    handle_packet(*session, packet, now, out);
    end_if_closing(key, now, out);
    session = find(key);
    if (!session) return;
  }
}

bool EngineIo::begin_post(std::string_view sid, RequestId request, TimePoint now, Output& out) {
  Session* session = find(sid, now, out);
  if (!session || session->web_socket != 0) return true;  // post() will answer with the error
  if (session->begun_post != 0) {
    end(*session, EngineIoType::close, false, now, out);
    return false;
  }
  session->begun_post = request;
  return true;
}

void EngineIo::end_post(std::string_view sid, RequestId request) {
  const auto key = by_sid_.find(std::string(sid));
  if (key == by_sid_.end()) return;
  if (Session& session = *find(key->second); session.begun_post == request) session.begun_post = 0;
}

void EngineIo::on_post_refused(std::string_view sid, TimePoint now, Output& out) {
  Session* session = find(sid, now, out);
  if (session && session->web_socket == 0) end(*session, EngineIoType::close, false, now, out);
}

void EngineIo::on_aborted(RequestId request, TimePoint now, Output& out) {
  const auto key = by_get_.find(request);
  if (key == by_get_.end()) return;
  Session& session = *find(key->second);
  by_get_.erase(key);
  session.waiting_get = 0;
  end(session, EngineIoType::close, false, now, out);
}

void EngineIo::upgrade(std::string_view sid, WebSocketId web_socket, bool base64, TimePoint now,
                       Output& out) {
  Session* session = find(sid, now, out);
  if (session && session->is_overdue()) drop_probe(*session, out);
  if (!session || session->web_socket != 0 || session->probing != 0) {
    out.closes.push_back(web_socket);
    return;
  }
  session->probing = web_socket;
  session->base64 = base64;
  session->upgrade_due = now.steady + params_.upgrade_timeout;
  by_web_socket_.emplace(web_socket, session->key);
  set_deadline(*session);
}

bool EngineIo::is_known(std::string_view sid, TimePoint now) const {
  const auto key = by_sid_.find(std::string(sid));
  if (key == by_sid_.end()) return false;
  const Session& session = sessions_.at(key->second);
  return !session.expects_pong || session.ping_due > now.steady;
}

std::uint32_t EngineIo::max_payload(std::string_view sid) const {
  const auto key = by_sid_.find(std::string(sid));
  return key == by_sid_.end() ? 0 : sessions_.at(key->second).max_payload;
}

void EngineIo::on_frame(WebSocketId web_socket, std::string_view data, bool binary, TimePoint now,
                        Output& out) {
  const auto key = by_web_socket_.find(web_socket);
  if (key == by_web_socket_.end()) return;
  Session& session = *find(key->second);
  const std::optional<EngineIoPacket> packet =
      binary ? EngineIoPacket{EngineIoType::message, true, std::string(data)} : decode_packet(data);
  if (web_socket == session.probing) {
    if (!packet || (!session.probed && session.upgrade_due <= now.steady)) return drop_probe(session, out);
    return handle_probe(session, *packet, now, out);
  }
  const bool late = session.expects_pong && session.ping_due <= now.steady;
  if (!packet || late) return end(session, EngineIoType::close, false, now, out);
  const SessionKey session_key = session.key;
  handle_packet(session, *packet, now, out);
  end_if_closing(session_key, now, out);
}

void EngineIo::on_web_socket_closed(WebSocketId web_socket, bool clean, TimePoint now, Output& out) {
  const auto key = by_web_socket_.find(web_socket);
  if (key == by_web_socket_.end()) return;
  Session& session = *find(key->second);
  by_web_socket_.erase(key);
  if (web_socket == session.probing) {
    session.probing = 0;
    return drop_probe(session, out);
  }
  session.web_socket = 0;
  end(session, EngineIoType::close, clean, now, out);
}

void EngineIo::handle_packet(Session& session, const EngineIoPacket& packet, TimePoint now, Output& out) {
  switch (packet.type) {
    case EngineIoType::message:
      return application_.on_message(session.key, packet.data, packet.binary, now, out);
    case EngineIoType::pong:
      session.expects_pong = false;
      session.ping_due = now.steady + session.ping_interval;
      return set_deadline(session);
    case EngineIoType::close: return end(session, EngineIoType::noop, true, now, out);
    case EngineIoType::ping: session.closing = true; return;  // which only a server says
    default: return;  // an upgrade of what is a WebSocket already, and what else means nothing here
  }
}

void EngineIo::handle_probe(Session& session, const EngineIoPacket& packet, TimePoint now, Output& out) {
  if (packet.type == EngineIoType::ping && packet.data == kProbe) {
    session.probed = true;
    out.frames.push_back({session.probing, share_text(encode_packet(EngineIoType::pong, kProbe)), false});
    // The client does not continue until its last GET is answered.
    if (session.waiting_get != 0) send_packet(session, {EngineIoType::noop, false, {}}, out);
    return;
  }
  // Some clients, as those of microcontrollers, upgrade without a probe.
  if (packet.type != EngineIoType::upgrade) return drop_probe(session, out);
  if (session.waiting_get != 0) send_packet(session, {EngineIoType::noop, false, {}}, out);
  session.web_socket = std::exchange(session.probing, 0);
  session.probed = false;
  session.upgrade_due = SteadyTime::max();
  send_waiting(session, now, out);
}

// Socket.IO's client never polls again when its probe was answered, and would not notice the end of its
// WebSocket before it has taken it. If it has gone, the session ends for want of a pong.
void EngineIo::on_upgrade_due(Session& session, Output& out) {
  if (!session.probed) return drop_probe(session, out);
  session.upgrade_due = SteadyTime::max();
  set_deadline(session);
}

void EngineIo::drop_probe(Session& session, Output& out) {
  if (session.probing != 0) {
    by_web_socket_.erase(session.probing);
    out.closes.push_back(session.probing);
  }
  session.probing = 0;
  session.probed = false;
  session.upgrade_due = SteadyTime::max();
  set_deadline(session);
}

void EngineIo::send(SessionKey key, std::string_view data, bool binary, Output& out) {
  Session* session = find(key);
  if (session && !session->closing) {
    send_packet(*session, {EngineIoType::message, binary, std::string(data)}, out);
  }
}

void EngineIo::send_frame(const Session& session, EngineIoPacket packet, Output& out) {
  const bool octets = packet.binary && !session.base64;
  std::string frame;
  if (octets) {
    frame = std::move(packet.data);
  } else {
    append_to_payload(frame, packet);
  }
  out.frames.push_back({session.web_socket, share_text(std::move(frame)), octets});
}

void EngineIo::send_packet(Session& session, EngineIoPacket packet, Output& out) {
  if (session.web_socket != 0 && session.waiting.is_empty())
    return send_frame(session, std::move(packet), out);
  if (add_to_answer(session, packet, out)) return;
  session.waiting.push(std::move(packet));
  if (session.waiting_get != 0) return release_get(session, out);
  if (session.waiting.is_too_long()) return drop(session, out);
  if (!session.waiting.has_excess() || session.fetch_due != SteadyTime::max()) return;
  session.fetch_due = kAtNextCall;  // on_timeout knows the time
  set_deadline(session);
}

// Sends a WebSocket the next part of what waits.
void EngineIo::send_waiting(Session& session, TimePoint now, Output& out) {
  for (EngineIoPacket& packet : session.waiting.take_part()) send_frame(session, std::move(packet), out);
  session.fetch_due = SteadyTime::max();
  if (!session.waiting.is_empty()) out.asks_when_sent.push_back(session.web_socket);
  if (session.waiting.has_excess()) session.fetch_due = now.steady + kFetchTime;
  set_deadline(session);
}

void EngineIo::on_sent(WebSocketId web_socket, TimePoint now, Output& out) {
  const auto key = by_web_socket_.find(web_socket);
  if (key == by_web_socket_.end()) return;
  Session& session = *find(key->second);
  if (web_socket == session.web_socket && !session.closing) send_waiting(session, now, out);
}

// The session ends at the next deadline, unless the present call ends it.
void EngineIo::drop(Session& session, Output& out) {
  out.slow.push_back(session.source);
  session.closing = true;
  session.waiting.clear();
  session.ping_due = kAtNextCall;
  set_deadline(session);
}

void EngineIo::check_fetching(Session& session, TimePoint now, Output& out) {
  if (session.fetch_due != kAtNextCall) {
    out.slow.push_back(session.source);
    return end(session, EngineIoType::close, false, now, out);
  }
  session.fetch_due = now.steady + kFetchTime;
  set_deadline(session);
}

void EngineIo::release_get(Session& session, Output& out) {
  if (session.waiting_get == 0 || session.waiting.is_empty()) return;
  std::string body = session.waiting.take_payload();
  by_get_.erase(session.waiting_get);
  session.answered_get = std::exchange(session.waiting_get, 0);
  session.answer = out.answers.size();
  out.answers.push_back({session.answered_get, kOk, std::move(body)});
}

// An answer that has not left takes more: a client that asks in time gets all that comes at once.
bool EngineIo::add_to_answer(const Session& session, const EngineIoPacket& packet, Output& out) const {
  if (!session.waiting.is_empty() || session.answer >= out.answers.size()) return false;
  Output::Answer& answer = out.answers[session.answer];
  const bool is_its = answer.to == session.answered_get;
  if (!is_its || answer.body.size() + packet.data.size() > params_.max_waiting) return false;
  append_to_payload(answer.body, packet);
  return true;
}

void EngineIo::close(SessionKey key) {
  Session* session = find(key);
  if (!session) return;
  session->closing = true;
  session->ping_due = kAtNextCall;
  set_deadline(*session);
}

void EngineIo::end_if_closing(SessionKey key, TimePoint now, Output& out) {
  Session* session = find(key);
  if (session && session->closing) end(*session, EngineIoType::close, false, now, out);
}

void EngineIo::end(Session& session, EngineIoType last_word, bool clean, TimePoint now, Output& out) {
  const SessionKey key = session.key;
  forget(session, last_word, clean, out);
  application_.on_session_closed(key, clean, now, out);
}

void EngineIo::forget(Session& session, EngineIoType last_word, bool clean, Output& out) {
  const SessionKey key = session.key;
  if (session.waiting_get != 0) {
    session.waiting.push({last_word, false, {}});
    release_get(session, out);
  }
  const bool is_being_taken = session.probed && !clean;
  for (const WebSocketId web_socket : {session.web_socket, session.probing}) {
    if (web_socket == 0) continue;
    by_web_socket_.erase(web_socket);
    (is_being_taken ? out.closes_after_next : out.closes).push_back(web_socket);
  }
  sessions_from_.release(session.source);
  by_sid_.erase(session.sid);
  deadlines_.clear(key, session.deadline);
  sessions_.erase(key);
}

void EngineIo::close_all(TimePoint now, Output& out) {
  std::vector<SessionKey> ended;
  while (!sessions_.empty()) {
    Session& session = sessions_.begin()->second;
    ended.push_back(session.key);
    forget(session, EngineIoType::close, false, out);
  }
  for (const SessionKey key : ended) application_.on_session_closed(key, false, now, out);
}

void EngineIo::on_timeout(TimePoint now, Output& out) {
  while (next_deadline() <= now.steady) {
    Session& session = *find(deadlines_.first());
    if (session.upgrade_due <= now.steady) {
      on_upgrade_due(session, out);
    } else if (!session.closing && session.fetch_due <= now.steady) {
      check_fetching(session, now, out);
    } else if (session.closing || session.expects_pong) {
      end(session, EngineIoType::close, false, now, out);
    } else {
      // The pong is due at a time that does not depend on when the timer came; but when it came much too
      // late, as after a standstill of the machine, the client still gets half of its time.
      session.expects_pong = true;
      session.ping_due =
          std::max(session.ping_due + session.ping_timeout, now.steady + session.ping_timeout / 2);
      set_deadline(session);
      send_ping(session, out);
    }
  }
}

// It passes what waits for a WebSocket: the client has to answer in time, and reads only so fast.
void EngineIo::send_ping(Session& session, Output& out) {
  EngineIoPacket ping{EngineIoType::ping, false, {}};
  if (session.web_socket != 0) return send_frame(session, std::move(ping), out);
  send_packet(session, std::move(ping), out);
}

void EngineIo::set_deadline(Session& session) {
  deadlines_.set(session.key, session.deadline,
                 std::min({session.ping_due, session.upgrade_due, session.fetch_due}));
}

}  // namespace turnpike::signaling
