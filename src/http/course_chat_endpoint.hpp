// The course chat over WebSockets. Belongs to the thread of the server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "http/bearer.hpp"
#include "http/counters.hpp"
#include "http/refused.hpp"
#include "http/web_socket.hpp"
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
  explicit CourseChatEndpoint(Params params) : params_(std::move(params)) {}

  // Closes the connections of clients whose token is revoked.
  void close_revoked(const auth::Revocation& revocation) const;
  // Closes all connections. `reason` is what the clients are told.
  void close_all(std::string_view reason) const;

 private:
  struct Client {
    std::shared_ptr<WebSocket> socket;
    IpAddress address;
    std::optional<WallTime> good_until;  // expiry of the token
    std::string token_id;
    std::string subject;
    std::optional<WallTime> issued;  // when the token was, if it says so
  };

  std::optional<Response> check(const Request& request) override;
  void on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) override;
  void on_message(std::uint64_t number, std::string_view message, bool binary) override;
  void on_control(std::uint64_t number, std::size_t size) override;
  Duration rest_time(std::uint64_t number) override;
  void on_closed(std::uint64_t number, bool clean) override;

  // Returns true when the client's token has expired; its WebSocket is closed then.
  bool close_if_expired(const Client& client, TimePoint now) const;

  Params params_;
  signaling::CourseChat chat_;
  std::unordered_map<std::uint64_t, Client> clients_;
};

}  // namespace turnpike::http
