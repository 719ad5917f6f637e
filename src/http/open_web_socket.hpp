// The server's side of one WebSocket. A connection creates it from its stream when a request asks for the
// upgrade.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <memory>

#include "http/params.hpp"
#include "http/stream.hpp"
#include "http/web_socket.hpp"

namespace turnpike::http {

class OpenWebSocket : public WebSocket {
 public:
  // `early` has the octets that the client sent after its request. Some clients send frames without waiting
  // for the answer. See WebSocketHandler for `max_message`.
  static std::shared_ptr<OpenWebSocket> make(std::unique_ptr<Stream> stream, boost::beast::flat_buffer early,
                                             const Params& params, std::uint32_t max_message);

  // Answers the upgrade request, with this date. Returns false when that failed.
  virtual Awaitable<bool> accept(const boost::beast::http::request<boost::beast::http::string_body>& upgrade,
                                 const std::string& date) = 0;
  // Reads messages until the connection ends. The handler's on_closed is called as soon as the client's Close
  // frame has come, since the connection ends only when both sides have closed it.
  virtual Awaitable<void> read_all(WebSocketHandler& handler, std::uint64_t number) = 0;
  virtual void abort() = 0;
  // Whether it was closed because the client did not read the waiting data.
  virtual bool was_slow() const = 0;
  // Whether it was closed because the client sent a message that was too long.
  virtual bool said_too_much() const = 0;
  // Whether it was closed because its address had caused too much cost; see WebSocketHandler::rest_time.
  virtual bool cost_too_much() const = 0;
  // How often it had to wait before it read the next message.
  virtual std::uint64_t rests() const = 0;
};

}  // namespace turnpike::http
