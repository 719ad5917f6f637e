// A WebSocket (RFC 6455) as the server's protocols see it: something that text arrives from and that takes
// text. What waits to be sent is bounded: a client that does not read is dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::http {

// Lives as long as somebody holds it; after on_closed it does nothing any more. To be used on the server's
// own thread.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  virtual void send(std::shared_ptr<const std::string> message, bool binary) = 0;
  // After all that was sent before. RFC 6455 §7.4.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
};

// A protocol spoken over WebSockets. Its calls come on the server's own thread; per socket first opened, last
// closed.
class WebSocketHandler {
 public:
  virtual ~WebSocketHandler() = default;
  // Before the upgrade: an answer that refuses it, or nothing.
  virtual std::optional<Response> check(const Request&) { return std::nullopt; }
  // `number` is never used twice.
  virtual void on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) = 0;
  virtual void on_message(std::uint64_t number, std::string_view message, bool binary) = 0;
  // How long no message of this socket is to be read, since its client has cost enough for now. Asked before
  // each.
  virtual Duration rest(std::uint64_t number) {
    static_cast<void>(number);
    return Duration::zero();
  }
  // `goodbye` when the other side closed in form.
  virtual void on_closed(std::uint64_t number, bool goodbye) = 0;
};

}  // namespace turnpike::http
