// A connection's bytes, in TLS or without: one type, so that what is heavy to compile is compiled once.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <utility>

#include "http/deadline.hpp"
#include "net/tls_context.hpp"

namespace turnpike::http {

class Stream {
 public:
  using executor_type = Executor;
  using next_layer_type = TcpSocket;

  // In TLS with `tls`, which may have shaken hands already, else without.
  Stream(TcpSocket socket, net::TlsSession tls) : socket_(std::move(socket)) {
    if (tls) tls_ = std::make_unique<Tls>(socket_, tls.release());
  }
  Stream(const Stream&) = delete;  // tls_ refers to socket_
  Stream& operator=(const Stream&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  TcpSocket& next_layer() { return socket_; }
  const TcpSocket& next_layer() const { return socket_; }

  bool secure() const { return tls_ != nullptr; }
  // To be awaited before anything else on a secure stream that has not shaken hands.
  template <class Token>
  auto async_handshake(Token&& token) {
    return tls_->async_handshake(boost::asio::ssl::stream_base::server, std::forward<Token>(token));
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return tls_ ? tls_->async_read_some(buffers, std::forward<Token>(token))
                : socket_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return tls_ ? tls_->async_write_some(buffers, std::forward<Token>(token))
                : socket_.async_write_some(buffers, std::forward<Token>(token));
  }

  // How a WebSocket ends the layer below it (RFC 6455 §7.1.1). Beast's own way reads just once.
  template <class Handler>
  friend void async_teardown(boost::beast::role_type, Stream& stream, Handler&& handler) {
    boost::asio::co_spawn(stream.get_executor(), see_off(stream.socket_),
                          [handler = std::forward<Handler>(handler)](const std::exception_ptr&) mutable {
                            std::move(handler)(boost::system::error_code());
                          });
  }

 private:
  using Tls = boost::asio::ssl::stream<TcpSocket&>;
  TcpSocket socket_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace turnpike::http
