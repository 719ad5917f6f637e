// The course chat over WebSockets. Belongs to the server's thread.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "http/bearer.hpp"
#include "http/web_socket.hpp"
#include "turnpike/signaling/course_chat.hpp"

namespace turnpike::http {

class CourseChatEndpoint : public WebSocketHandler {
 public:
  // `admits` says whether a request may come in, by the token that it bears.
  explicit CourseChatEndpoint(std::function<bool(std::string_view token)> admits)
      : admits_(std::move(admits)) {}

 private:
  std::optional<Response> check(const Request& request) override {
    if (admits_(bearer_token(request))) return std::nullopt;
    return error_response(401, "this server asks for a token");
  }
  void on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request&) override {
    sockets_.emplace(number, std::move(socket));
    chat_.on_open(number);
  }
  // Octets that are no text would have every browser that gets them as text end its connection (RFC 6455
  // §8.1).
  void on_message(std::uint64_t number, std::string_view message, bool binary) override {
    if (binary) return sockets_.at(number)->close(kUnsupportedData, "this chat is text");
    const signaling::CourseChat::Output out = chat_.on_text(number, message);
    for (const auto to : out.to) sockets_.at(to)->send(out.text, false);
  }
  void on_closed(std::uint64_t number, bool) override {
    chat_.on_closed(number);
    sockets_.erase(number);
  }

  static constexpr std::uint16_t kUnsupportedData = 1003;  // RFC 6455 §7.4.1

  std::function<bool(std::string_view token)> admits_;
  signaling::CourseChat chat_;
  std::unordered_map<std::uint64_t, std::shared_ptr<WebSocket>> sockets_;
};

}  // namespace turnpike::http
