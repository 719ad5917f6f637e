// The course chat over WebSockets. Belongs to the server's thread.
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
    // What the token that a request bears allows; everything where none is asked for.
    std::function<Result<signaling::Grant, signaling::Refusal>(std::string_view token)> admit;
    std::function<TimePoint()> clock;
    SourcePace& pace;
    Counter& messages;  // of clients
    TellRefused refused;
  };

  // The pace outlives this.
  explicit CourseChatEndpoint(Params params) : params_(std::move(params)) {}

 private:
  struct Client {
    std::shared_ptr<WebSocket> socket;
    IpAddress address;
    std::optional<WallTime> good_until;  // of its token
  };

  std::optional<Response> check(const Request& request) override;
  void on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) override;
  void on_message(std::uint64_t number, std::string_view message, bool binary) override;
  Duration rest(std::uint64_t number) override;
  void on_closed(std::uint64_t number, bool goodbye) override;

  // Closes the connection of a client whose token has expired.
  bool is_expired(const Client& client, TimePoint now) const;

  Params params_;
  signaling::CourseChat chat_;
  std::unordered_map<std::uint64_t, Client> clients_;
};

}  // namespace turnpike::http
