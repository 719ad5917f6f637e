// A WebSocket (RFC 6455) as the server's protocols see it: they receive messages from it and send messages to
// it. The data that waits to be sent is limited; a client that does not read is dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::http {

// Shared ownership; after on_closed its calls have no effect. Use it only on the server's thread.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  virtual void send(std::shared_ptr<const std::string> message, bool binary) = 0;
  // Calls `then` once, later, when no message waits any more. A further call before that replaces it. It is
  // not called when the WebSocket is closed before.
  virtual void when_sent(std::function<void()> then) = 0;
  // Closes it after all earlier messages were sent. `code` is a status code of RFC 6455 §7.4.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  // The same, but the Close frame is sent only when the client's next message has come. A client that sends
  // none in time is cut off.
  virtual void close_after_next_message(std::uint16_t code, std::string_view reason) = 0;
};

// A protocol over WebSockets. All calls come on the server's thread. For each socket, on_open is the first
// call and on_closed the last.
class WebSocketHandler {
 public:
  virtual ~WebSocketHandler() = default;
  // The answer to a page of an origin that is not allowed here.
  virtual Response forbid_origin(const Request&) { return origin_forbidden(); }
  // Called before the upgrade. A returned response refuses the upgrade.
  virtual std::optional<Response> check(const Request&) { return std::nullopt; }
  // The octets of the longest message, if it may be longer than Limits::message_bytes. Called before the
  // upgrade.
  virtual std::uint32_t max_message(const Request&) { return 0; }
  // `number` identifies the socket and is never used again.
  virtual void on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) = 0;
  virtual void on_message(std::uint64_t number, std::string_view message, bool binary) = 0;
  // A ping or a pong of `size` bytes was received. A ping was answered already.
  virtual void on_control(std::uint64_t number, std::size_t size) {
    static_cast<void>(number);
    static_cast<void>(size);
  }
  // How long to wait before the next message of this socket is read, because its client has caused too much
  // cost. Called before each message.
  virtual Duration rest_time(std::uint64_t number) {
    static_cast<void>(number);
    return Duration::zero();
  }
  // `clean` is true when the client has closed the WebSocket properly.
  virtual void on_closed(std::uint64_t number, bool clean) = 0;
};

}  // namespace turnpike::http
