#include "http/course_chat_endpoint.hpp"

#include "http/cost.hpp"
#include "turnpike/signaling/close_code.hpp"

namespace turnpike::http {

std::optional<Response> CourseChatEndpoint::check(const Request& request) {
  const auto grant = params_.admit(bearer_token(request));
  if (grant) return std::nullopt;
  if (params_.refused) params_.refused(refused_of(grant.error(), request.client));
  Response response = error_response(401, signaling::message_of(grant.error()));
  response.set("WWW-Authenticate", "Bearer");  // RFC 6750 §3
  return response;
}

void CourseChatEndpoint::on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket,
                                 const Request& request) {
  auto grant = params_.admit(bearer_token(request));
  if (!grant) return socket->close(signaling::kPolicyViolation, signaling::code_of(grant.error()));
  const auto [kept, is_new] = grants_.emplace(number, std::move(*grant));
  clients_.add(number, std::move(socket), request.client);
  chat_.on_open(number, kept->second.room);
}

void CourseChatEndpoint::close_revoked(const auth::Revocation& revocation) const {
  for (const auto& [number, grant] : grants_) {
    if (auth::covers(revocation, grant.id, grant.subject, grant.issued))
      clients_.close(number, signaling::kPolicyViolation,
                     signaling::code_of(signaling::Refusal::token_revoked));
  }
}

void CourseChatEndpoint::close_all(std::string_view reason) const {
  clients_.close_all(signaling::kGoingAway, reason);
}

bool CourseChatEndpoint::close_if_expired(std::uint64_t number, TimePoint now) const {
  const std::optional<WallTime>& end = grants_.at(number).good_until;
  if (!end || now.wall < *end) return false;
  clients_.close(number, signaling::kPolicyViolation, signaling::code_of(signaling::Refusal::token_expired));
  return true;
}

void CourseChatEndpoint::on_message(std::uint64_t number, std::string_view message, bool binary) {
  ++params_.messages;
  if (!clients_.find(number)) return;
  const TimePoint now = params_.clock();
  if (close_if_expired(number, now)) return;
  if (binary) return clients_.close(number, signaling::kUnsupportedData, signaling::kTextOnly);
  const signaling::CourseChat::Output out = chat_.on_text(number, message);
  std::uint64_t sent = 0;
  for (const auto to : out.to) {
    if (!close_if_expired(to, now)) sent += clients_.send(to, out.text, false);
  }
  clients_.charge(number, cost_of_message(message.size()) + sent, now.steady);
}

void CourseChatEndpoint::on_closed(std::uint64_t number, bool) {
  chat_.on_closed(number);
  grants_.erase(number);
  clients_.remove(number);
}

}  // namespace turnpike::http
