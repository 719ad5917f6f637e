#include "turnpike/signaling/plain_protocol.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "turnpike/base/text.hpp"
#include "turnpike/crypto/base64.hpp"
#include "turnpike/signaling/close_code.hpp"
#include "turnpike/signaling/json_slice.hpp"
#include "turnpike/signaling/json_text.hpp"
#include "turnpike/signaling/name.hpp"
#include "turnpike/signaling/placeholders.hpp"

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxRequestId = 128;  // bytes

json::object to_json(const Hub::Peer& peer) {
  json::object object{{"id", peer.id.to_string()}, {"name", peer.name}};
  if (!peer.role.empty()) object["role"] = peer.role;
  return object;
}

// Returns the JSON of a message as it was sent. Octets that came beside it by Socket.IO have no frames of
// their own here, so each placeholder is replaced by {"base64":"AQID"}.
std::string with_octets(const std::string& json, const MemberMessage& message) {
  if (message.attachments.empty()) return json;
  return replace_placeholders(json, message.attachments.size(), [&](std::size_t number) {
    return R"({"base64":")" + crypto::base64_encode(as_bytes(*message.attachments[number])) + R"("})";
  });
}

// Returns {"type":TYPE,"from":ID,"event":NAME,"data":PAYLOAD,"rest":[...]}.
std::string with_payload(std::string_view type, const Event& event) {
  std::string text(R"({"type":")");
  text.append(type).append(R"(","from":")").append(event.from.to_string()).append("\"");
  if (!event.message.event.empty()) text.append(R"(,"event":)").append(json::serialize(event.message.event));
  text.append(R"(,"data":)").append(with_octets(event.message.payload, event.message));
  if (const std::string& rest = event.message.more_arguments; !rest.empty())
    text.append(R"(,"rest":)").append(with_octets('[' + rest.substr(1) + ']', event.message));
  return text.append("}");
}

std::string encode(const Event& event) {
  switch (event.kind) {
    case Event::Kind::peer_joined:
      return json::serialize(
          json::object{{"type", "peer-joined"}, {"peer", to_json({event.from, event.name, event.role})}});
    case Event::Kind::peer_left:
      return json::serialize(json::object{
          {"type", "peer-left"}, {"id", event.from.to_string()}, {"reason", event.lost ? "lost" : "left"}});
    case Event::Kind::peer_renamed:
      return json::serialize(
          json::object{{"type", "peer-renamed"}, {"id", event.from.to_string()}, {"name", event.name}});
    case Event::Kind::signal: return with_payload("signal", event);
    case Event::Kind::broadcast: return with_payload("broadcast", event);
  }
  return {};
}

}  // namespace

struct PlainProtocol::Request {
  Session& session;
  const json::object& message;
  std::string_view text;  // the whole message, to take slices of
  TimePoint now;
  Output& out;

  // Returns the text of a member, or nothing when the member is absent or is not a text.
  std::optional<std::string_view> text_of(std::string_view name) const {
    const json::value* value = message.if_contains(name);
    if (!value || !value->is_string()) return std::nullopt;
    return std::string_view(value->get_string());
  }

  void answer(const json::object& object) const {
    out.sends.push_back({session.connection, share_text(json::serialize(object))});
  }
};

void PlainProtocol::Output::clear() {
  sends.clear();
  closes.clear();
  foreign.clear();
  refused.clear();
}

void PlainProtocol::announce_end(WallTime deadline, Output& out) {
  end_ =
      share_text(json::serialize(json::object{{"type", "going-away"}, {"deadline", to_rfc3339(deadline)}}));
  for (const auto& [connection, session] : sessions_) {
    if (!session.room.empty()) out.sends.push_back({connection, end_});
  }
}

void PlainProtocol::on_open(ConnectionId connection, Opening opening, TimePoint now) {
  Session& session = sessions_[connection];
  session.connection = connection;
  session.opening = std::move(opening);
  deadlines_.set(connection, session.deadline, now.steady + params_.connect_timeout);
}

void PlainProtocol::on_text(ConnectionId connection, std::string_view text, TimePoint now, Output& out) {
  const auto it = sessions_.find(connection);
  if (it == sessions_.end()) return;
  Session& session = it->second;

  const std::optional<json::value> value = parse_json(text, kDeepest);
  static const json::object nothing;
  const json::object* object = value ? value->if_object() : nullptr;
  Request request{session, object ? *object : nothing, text, now, out};
  std::string_view id;  // empty when the request has none
  if (object) id = json_member(text, "id").value_or("");

  std::optional<Refusal> refusal = Refusal::bad_message;
  if (id.size() > kMaxRequestId) {
    id = {};
  } else if (object) {
    refusal = carry_out(request);
  }
  if (refusal && !key_of(*refusal).empty()) out.refused.push_back({*refusal, session.opening.address});
  if (refusal) {
    std::string answer = R"({"type":"error",)";
    if (!id.empty()) answer.append(R"("id":)").append(id).append(",");
    answer.append(R"("code":")").append(code_of(*refusal)).append(R"(","message":")");
    out.sends.push_back({connection, share_text(answer.append(message_of(*refusal)).append("\"}"))});
  } else if (!id.empty()) {
    out.sends.push_back(
        {connection, share_text(std::string(R"({"type":"ack","id":)").append(id).append("}"))});
  }
  flush_hub(out);
}

std::optional<Refusal> PlainProtocol::carry_out(Request& request) {
  enum class From : std::uint8_t { outside, inside, anywhere };  // of a room
  struct Type {
    std::string_view name;
    std::optional<Refusal> (PlainProtocol::*handle)(Request&);
    From from;
  };
  static constexpr std::array kTypes{
      Type{"join", &PlainProtocol::join, From::outside},
      Type{"resume", &PlainProtocol::resume, From::outside},
      Type{"signal", &PlainProtocol::signal, From::inside},
      Type{"broadcast", &PlainProtocol::broadcast, From::inside},
      Type{"ice-servers", &PlainProtocol::renew_credentials, From::inside},
      Type{"leave", &PlainProtocol::leave, From::inside},
      Type{"token", &PlainProtocol::renew_token, From::anywhere},
  };
  const std::optional<std::string_view> name = request.text_of("type");
  if (!name) return Refusal::bad_message;
  if (*name == "ping") return std::nullopt;
  const auto* type = std::ranges::find(kTypes, *name, &Type::name);
  if (type == kTypes.end()) return Refusal::unknown_type;
  const bool joined = !request.session.room.empty();
  if (type->from == From::inside && !joined) return Refusal::not_joined;
  if (type->from == From::outside && joined) return Refusal::already_joined;
  return (this->*type->handle)(request);
}

// Returns what the token allows, or everything when no token is necessary.
Result<Grant, Refusal> PlainProtocol::admit(const Request& request, std::string_view room) {
  if (params_.access == Access::open) return Grant{};
  const std::string_view token = request.text_of("token").value_or(request.session.opening.token);
  if (token.empty()) return Refusal::token_required;
  Result<Grant, Refusal> grant = params_.tokens.verify(token, request.now.wall);
  if (grant && grant->room && *grant->room != room) return Refusal::token_invalid;
  return grant;
}

std::optional<Refusal> PlainProtocol::join(Request& request) {
  Session& session = request.session;
  const std::optional<std::string_view> room = request.text_of("room");
  if (!room || room->empty() || !is_name(*room)) return Refusal::bad_room;
  const std::string_view name = request.text_of("name").value_or("");
  if (!is_name(name) || (request.message.contains("name") && !request.text_of("name"))) {
    return Refusal::bad_name;
  }
  const Result<Grant, Refusal> grant = admit(request, *room);
  if (!grant) return grant.error();
  if (!params_.minting.take(session.opening.address, request.now.steady)) return Refusal::rate_limited;

  session.quota_user = params_.ice_servers.quota_user(grant->subject, session.opening.address);
  const MemberId member = params_.hub.add_member({.connection = session.connection,
                                                  .address = session.opening.address,
                                                  .name = std::string(name),
                                                  .role = grant->role,
                                                  .quota_user = session.quota_user,
                                                  .good_until = grant->good_until,
                                                  .token_id = grant->id,
                                                  .issued = grant->issued});
  const auto peers = params_.hub.join(member, *room, from_hub_);
  if (!peers) {
    params_.hub.remove(member, from_hub_);
    return peers.error();
  }
  session.member = member;
  session.room = *room;
  apply_grant(session, *grant, request.now);
  welcome(session, false, request.now, request.out);
  return std::nullopt;
}

std::optional<Refusal> PlainProtocol::resume(Request& request) {
  Session& session = request.session;
  const std::optional<std::string_view> secret = request.text_of("resume");
  if (!secret) return Refusal::bad_message;
  if (!params_.minting.take(session.opening.address, request.now.steady)) return Refusal::rate_limited;
  const auto resumed =
      params_.hub.resume(*secret, session.connection, session.opening.address, request.now, from_hub_);
  if (!resumed) return resumed.error();

  session.member = resumed->id;
  session.room = resumed->rooms.front();
  session.quota_user = resumed->quota_user;
  session.good_until = resumed->good_until;
  close_replaced(std::array{resumed->replaced}, request.out);
  // A new token may come with the request, since the one that the member joined with may have expired.
  if (const Result<Grant, Refusal> grant = admit(request, session.room))
    apply_grant(session, *grant, request.now);
  watch_token(session, request.now);
  welcome(session, true, request.now, request.out);
  return std::nullopt;
}

// Applies the grant to the session.
void PlainProtocol::apply_grant(Session& session, const Grant& grant, TimePoint now) {
  if (params_.access == Access::open) return;
  session.quota_user = params_.ice_servers.quota_user(grant.subject, session.opening.address);
  session.good_until = grant.good_until;
  params_.hub.renew_token(session.member, session.quota_user, session.good_until, grant.id, grant.issued);
  watch_token(session, now);
}

// Returns why the session gets no credentials now, or nothing when it may have them. A session has no token
// when it joined before a reload made tokens necessary.
std::optional<Refusal> PlainProtocol::check_token(const Session& session, TimePoint now) const {
  if (params_.access == Access::open) return std::nullopt;
  if (!session.good_until) return Refusal::token_required;
  if (*session.good_until <= now.wall) return Refusal::token_expired;
  return std::nullopt;
}

// The client is told once that its token has expired. The wall clock may be set before that, so it is read
// again then.
void PlainProtocol::watch_token(Session& session, TimePoint now) {
  token_deadlines_.clear(session.connection, session.token_deadline);
  if (!session.good_until || *session.good_until <= now.wall) return;
  const Duration left = std::chrono::ceil<Duration>(*session.good_until - now.wall);
  token_deadlines_.set(session.connection, session.token_deadline, now.steady + left);
}

void PlainProtocol::send_token_error(Session& session, Refusal lack, Output& out) {
  session.lacks_credentials = true;
  send_error(session, lack, out);
}

// Sends an error that does not answer a request.
void PlainProtocol::send_error(const Session& session, Refusal why, Output& out) {
  std::string text = R"({"type":"error","code":")";
  text.append(code_of(why)).append(R"(","message":")").append(message_of(why)).append("\"}");
  out.sends.push_back({session.connection, share_text(std::move(text))});
}

// Takes a new token. It has to be for the room that the client is in. Before a join, it is kept for the join.
std::optional<Refusal> PlainProtocol::renew_token(Request& request) {
  Session& session = request.session;
  const std::optional<std::string_view> token = request.text_of("token");
  if (!token || token->empty()) return Refusal::bad_message;
  if (params_.access == Access::open) return std::nullopt;
  const Result<Grant, Refusal> grant = params_.tokens.verify(*token, request.now.wall);
  if (!grant) return grant.error();
  const bool joined = !session.room.empty();
  if (joined && grant->room && *grant->room != session.room) return Refusal::token_invalid;
  const bool mints = joined && session.lacks_credentials;
  if (mints && !params_.minting.take(session.opening.address, request.now.steady)) {
    return Refusal::rate_limited;
  }
  session.opening.token = *token;
  if (!joined) return std::nullopt;
  apply_grant(session, *grant, request.now);
  if (mints) send_credentials(session, request.now, request.out);
  return std::nullopt;
}

void PlainProtocol::welcome(Session& session, bool resumed, TimePoint now, Output& out) {
  json::array peers;
  for (const Hub::Peer& peer : params_.hub.peers_of(session.member, session.room)) {
    peers.push_back(to_json(peer));
  }
  json::object joined{{"type", "joined"},
                      {"room", session.room},
                      {"self", session.member.to_string()},
                      {"peers", std::move(peers)}};
  const std::optional<Refusal> lack = check_token(session, now);
  if (!lack) add_credentials(session, now, joined);
  joined["resume"] = params_.hub.resume_secret(session.member);
  if (resumed) joined["resumed"] = true;
  out.sends.push_back({session.connection, share_text(json::serialize(joined))});
  if (end_) out.sends.push_back({session.connection, end_});
  if (!lack) return;
  // The client has joined in time, and gets no credentials.
  deadlines_.clear(session.connection, session.deadline);
  send_token_error(session, *lack, out);
}

std::optional<Refusal> PlainProtocol::leave(Request& request) {
  Session& session = request.session;
  params_.hub.remove(session.member, from_hub_);
  session.member = {};
  session.room.clear();
  session.good_until.reset();
  session.lacks_credentials = false;
  token_deadlines_.clear(session.connection, session.token_deadline);
  deadlines_.set(session.connection, session.deadline, request.now.steady + params_.connect_timeout);
  return std::nullopt;
}

// Returns what the request says, or nothing when it is malformed.
std::optional<MemberMessage> PlainProtocol::read_message(const Request& request) {
  const std::optional<std::string_view> data = json_member(request.text, "data");
  if (!data) return std::nullopt;
  MemberMessage message(*data);
  if (request.message.contains("event")) {
    const std::optional<std::string_view> event = request.text_of("event");
    if (!event || !is_name(*event)) return std::nullopt;
    message.event = *event;
  }
  return message;
}

std::optional<Refusal> PlainProtocol::signal(Request& request) {
  const std::optional<std::string_view> to = request.text_of("to");
  std::optional<MemberMessage> message = read_message(request);
  if (!to || !message) return Refusal::bad_message;
  const std::optional<MemberId> receiver = MemberId::parse(*to);
  if (!receiver) return Refusal::no_such_peer;
  return params_.hub.signal(request.session.member, *receiver, std::move(*message), from_hub_);
}

std::optional<Refusal> PlainProtocol::broadcast(Request& request) {
  std::optional<MemberMessage> message = read_message(request);
  if (!message) return Refusal::bad_message;
  return params_.hub.broadcast(request.session.member, request.session.room, std::move(*message), from_hub_);
}

std::optional<Refusal> PlainProtocol::renew_credentials(Request& request) {
  if (const auto lack = check_token(request.session, request.now)) {
    request.session.lacks_credentials = true;
    return lack;
  }
  if (!params_.minting.take(request.session.opening.address, request.now.steady)) {
    return Refusal::rate_limited;
  }
  send_credentials(request.session, request.now, request.out);
  return std::nullopt;
}

void PlainProtocol::send_credentials(Session& session, TimePoint now, Output& out) {
  json::object message{{"type", "ice-servers"}};
  add_credentials(session, now, message);
  out.sends.push_back({session.connection, share_text(json::serialize(message))});
}

// Adds credentials to a message. The next ones are due after three quarters of their lifetime.
void PlainProtocol::add_credentials(Session& session, TimePoint now, json::object& to) {
  session.lacks_credentials = false;
  const IceCredentials credentials = params_.ice_servers.mint(session.quota_user, now.wall);
  const std::string host = params_.ice_servers.host_for(session.opening.host);
  to["iceServers"] = params_.ice_servers.entries(host, credentials);
  to["expiresAt"] = to_rfc3339(credentials.expires);
  deadlines_.set(session.connection, session.deadline, now.steady + params_.ice_servers.lifetime() * 3 / 4);
}

void PlainProtocol::on_closed(ConnectionId connection, bool clean, TimePoint now, Output& out) {
  const auto it = sessions_.find(connection);
  if (it == sessions_.end()) return;
  if (!it->second.room.empty()) params_.hub.disconnect(it->second.member, clean, now, from_hub_);
  forget(it->second);
  flush_hub(out);
}

void PlainProtocol::on_timeout(TimePoint now, Output& out) {
  while (deadlines_.next() <= now.steady) {
    Session& session = sessions_.at(deadlines_.first());
    if (session.room.empty()) {
      out.closes.push_back({session.connection, kPolicyViolation, "no room joined in time"});
      forget(session);
    } else if (const auto lack = check_token(session, now)) {
      deadlines_.clear(session.connection, session.deadline);
      // A client whose token expires is told at that time, so only a missing token is reported here.
      if (lack == Refusal::token_required) send_token_error(session, *lack, out);
      session.lacks_credentials = true;
    } else {
      send_credentials(session, now, out);
    }
  }
  while (token_deadlines_.next() <= now.steady) {
    Session& session = sessions_.at(token_deadlines_.first());
    watch_token(session, now);
    if (const auto lack = check_token(session, now)) send_token_error(session, *lack, out);
  }
  params_.hub.on_timeout(now, from_hub_);
  flush_hub(out);
}

SteadyTime PlainProtocol::next_deadline() const {
  return std::min({deadlines_.next(), token_deadlines_.next(), params_.hub.next_deadline()});
}

void PlainProtocol::close_replaced(std::span<const ConnectionId> connections, Output& out) {
  for (const ConnectionId connection : connections) {
    const auto session = sessions_.find(connection);
    if (session == sessions_.end()) continue;
    out.closes.push_back({connection, kResumedElsewhere, "resumed elsewhere"});
    forget(session->second);
  }
}

void PlainProtocol::close_revoked(std::span<const ConnectionId> connections, Output& out) {
  for (const ConnectionId connection : connections) {
    const auto session = sessions_.find(connection);
    if (session == sessions_.end()) continue;
    send_error(session->second, Refusal::token_revoked, out);
    out.closes.push_back({connection, kPolicyViolation, code_of(Refusal::token_revoked)});
    forget(session->second);
  }
}

void PlainProtocol::deliver(std::span<const Delivery> deliveries, Output& out) {
  const Event* written = nullptr;
  std::shared_ptr<const std::string> text;
  for (const Delivery& delivery : deliveries) {
    if (delivery.to & kSocketIoBit) {
      out.foreign.push_back(delivery);
      continue;
    }
    if (delivery.event.get() != written) {  // an event for many is written once
      text = share_text(encode(*delivery.event));
      written = delivery.event.get();
    }
    out.sends.push_back({delivery.to, text});
  }
}

void PlainProtocol::flush_hub(Output& out) {
  deliver(from_hub_.deliveries, out);
  from_hub_.clear();
}

void PlainProtocol::forget(Session& session) {
  deadlines_.clear(session.connection, session.deadline);
  token_deadlines_.clear(session.connection, session.token_deadline);
  sessions_.erase(session.connection);
}

}  // namespace turnpike::signaling
