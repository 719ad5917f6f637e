// The course chat over WebSockets. Belongs to the thread of the server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "http/bearer.hpp"
#include "http/counters.hpp"
#include "http/refused.hpp"
#include "http/web_socket.hpp"
#include "http/web_socket_clients.hpp"
#include "turnpike/base/source_pace.hpp"
#include "turnpike/signaling/course_chat.hpp"
#include "turnpike/signaling/token.hpp"

namespace turnpike::http {

class CourseChatEndpoint : public WebSocketHandler {
 public:
  struct Params {
    // Returns what the bearer token of a request allows. Without access control it allows everything.
    std::function<Result<signaling::Grant, signaling::Refusal>(std::string_view token)> admit;
    std::function<TimePoint()> clock;
    SourcePace& pace;
    Counter& messages;  // messages received from clients
    OnRefused refused;
  };

  // `pace` must outlive this object.
  explicit CourseChatEndpoint(Params params) : params_(std::move(params)), clients_(params_.pace) {}

  // Closes the connections of clients whose token is revoked.
  void close_revoked(const auth::Revocation& revocation) const;
  // Closes all connections. `reason` is what the clients are told.
  void close_all(std::string_view reason) const;

 private:
  std::optional<Response> check(const Request& request) override;
  void on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) override;
  void on_message(std::uint64_t number, std::string_view message, bool binary) override;
  void on_control(std::uint64_t number, std::size_t size) override {
    clients_.charge_control(number, size, params_.clock().steady);
  }
  Duration rest_time(std::uint64_t number) override {
    return clients_.rest_time(number, params_.clock().steady);
  }
  void on_closed(std::uint64_t number, bool clean) override;

  // Returns true when the client's token has expired; its WebSocket is closed then.
  bool close_if_expired(std::uint64_t number, TimePoint now) const;

  Params params_;
  signaling::CourseChat chat_;
  std::unordered_map<std::uint64_t, signaling::Grant> grants_;  // what the tokens of the clients allow
  WebSocketClients clients_;
};

}  // namespace turnpike::http
