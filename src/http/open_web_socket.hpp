// The server's side of one WebSocket. A connection makes it out of its stream when a request asks for the
// upgrade.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>

#include "http/params.hpp"
#include "http/stream.hpp"
#include "http/web_socket.hpp"

namespace turnpike::http {

class OpenWebSocket : public WebSocket {
 public:
  // `early` is what the client sent behind its request: frames, for some do not wait for the answer.
  static std::shared_ptr<OpenWebSocket> make(std::unique_ptr<Stream> stream, boost::beast::flat_buffer early,
                                             const Params& params);

  // Answers the upgrade; false when that failed.
  virtual Awaitable<bool> accept(
      const boost::beast::http::request<boost::beast::http::string_body>& upgrade) = 0;
  // Until the other side is gone; true when it said goodbye.
  virtual Awaitable<bool> read_all(WebSocketHandler& handler, std::uint64_t number) = 0;
  virtual void abort() = 0;
  // The client did not read what waited for it.
  virtual bool was_slow() const = 0;
  // It was closed since its address had cost too much, see WebSocketHandler::rest.
  virtual bool was_dear() const = 0;
  // How often it had to rest before its next message was read.
  virtual std::uint64_t rests() const = 0;
};

}  // namespace turnpike::http
