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
  const auto grant = params_.admit(bearer_token(request));
  if (!grant) return socket->close(signaling::kPolicyViolation, signaling::code_of(grant.error()));
  clients_[number] = {std::move(socket), request.client, grant->good_until,
                      grant->id,         grant->subject, grant->issued};
  chat_.on_open(number, grant->room);
}

void CourseChatEndpoint::close_revoked(const auth::Revocation& revocation) const {
  for (const auto& [number, client] : clients_) {
    if (auth::covers(revocation, client.token_id, client.subject, client.issued))
      client.socket->close(signaling::kPolicyViolation,
                           signaling::code_of(signaling::Refusal::token_revoked));
  }
}

void CourseChatEndpoint::close_all(std::string_view reason) const {
  for (const auto& [number, client] : clients_) client.socket->close(signaling::kGoingAway, reason);
}

bool CourseChatEndpoint::close_if_expired(const Client& client, TimePoint now) const {
  if (!client.good_until || now.wall < *client.good_until) return false;
  client.socket->close(signaling::kPolicyViolation, signaling::code_of(signaling::Refusal::token_expired));
  return true;
}

void CourseChatEndpoint::on_message(std::uint64_t number, std::string_view message, bool binary) {
  ++params_.messages;
  const auto client = clients_.find(number);
  if (client == clients_.end()) return;
  const TimePoint now = params_.clock();
  if (close_if_expired(client->second, now)) return;
  if (binary) return client->second.socket->close(signaling::kUnsupportedData, "this protocol is text");
  const signaling::CourseChat::Output out = chat_.on_text(number, message);
  for (const auto to : out.to) {
    const Client& receiver = clients_.at(to);
    if (!close_if_expired(receiver, now)) receiver.socket->send(out.text, false);
  }
  const std::uint64_t sent = out.text ? cost_of_message(out.text->size()) * out.to.size() : 0;
  params_.pace.charge(client->second.address, cost_of_message(message.size()) + sent, now.steady);
}

void CourseChatEndpoint::on_control(std::uint64_t number, std::size_t size) {
  if (const auto client = clients_.find(number); client != clients_.end())
    params_.pace.charge(client->second.address, cost_of_control(size), params_.clock().steady);
}

Duration CourseChatEndpoint::rest_time(std::uint64_t number) {
  const auto client = clients_.find(number);
  if (client == clients_.end()) return Duration::zero();
  return params_.pace.rest_time(client->second.address, params_.clock().steady);
}

void CourseChatEndpoint::on_closed(std::uint64_t number, bool) {
  chat_.on_closed(number);
  clients_.erase(number);
}

}  // namespace turnpike::http
