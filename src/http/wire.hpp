// The TCP connection below a Stream. In the beginning it does no more than its socket. After hold() it takes
// whatever is written at once: the socket gets as much as it takes, and the rest waits here. So TLS and
// WebSockets can be written to without waiting, and nothing is written into the middle of anything else.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/deadline.hpp"

namespace turnpike::http {

// Owned by a shared_ptr, since its operations hold it. Belongs to the thread that runs its executor's
// io_context.
class Wire : public std::enable_shared_from_this<Wire> {
 public:
  using executor_type = net::Executor;
  using lowest_layer_type = TcpSocket::lowest_layer_type;
  using Error = boost::system::error_code;

  explicit Wire(TcpSocket connected) : socket_(std::move(connected)) {}

  executor_type get_executor() { return socket_.get_executor(); }
  lowest_layer_type& lowest_layer() { return socket_.lowest_layer(); }
  TcpSocket& socket() { return socket_; }
  const TcpSocket& socket() const { return socket_; }

  // Call this while nothing is being written.
  void hold();
  // How many octets were written that the socket has not taken yet.
  std::size_t unsent() const { return unsent_.size() - taken_; }
  // Gives the socket as much of them as it takes now.
  void push();
  // Calls `handler` with an error code, not before this returns, when the socket has taken what was written
  // until now or will take no more.
  template <class Handler>
  void when_sent(Handler handler) {
    if (unsent() != 0) return wait_for(written_, std::move(handler));
    boost::asio::post(get_executor(),
                      [handler = std::move(handler), error = failure_]() mutable { handler(error); });
  }

  // An AsyncStream, and a SyncStream as far as TLS needs it after hold(): nothing can be read in that way.
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& room, Token&& token) {
    return socket_.async_read_some(room, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(Error, std::size_t)>(
        [this](auto handler, const auto& octets) {
          if (!holds_) return socket_.async_write_some(octets, std::move(handler));
          Error ignored;
          const std::size_t size = write_some(octets, ignored);
          when_sent([handler = std::move(handler), size](const Error& error) mutable {
            std::move(handler)(error, error ? 0 : size);
          });
        },
        token, buffers);
  }
  template <class Buffers>
  std::size_t read_some(const Buffers&, Error& error) {
    error = boost::asio::error::would_block;
    return 0;
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, Error& error) {
    std::size_t size = 0;
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end; ++at) {
      const boost::asio::const_buffer octets = *at;
      write_or_keep({static_cast<const char*>(octets.data()), octets.size()});
      size += octets.size();
    }
    error = failure_;
    return size;
  }

 private:
  // `until` octets in all have to be taken by the socket, whatever is written behind them meanwhile.
  template <class Handler>
  void wait_for(std::uint64_t until, Handler handler) {
    socket_.async_wait(TcpSocket::wait_write, [self = shared_from_this(), until,
                                               handler = std::move(handler)](const Error& error) mutable {
      if (error) return handler(error);
      self->push();
      if (self->written_ - self->unsent() >= until) return handler(self->failure_);
      self->wait_for(until, std::move(handler));
    });
  }
  void write_or_keep(std::string_view octets);
  std::size_t write_to_socket(std::string_view octets);

  TcpSocket socket_;
  bool holds_ = false;
  std::uint64_t written_ = 0;  // octets in all since hold()
  std::string unsent_;
  std::size_t taken_ = 0;  // of them, by the socket
  Error failure_;          // of the socket, which takes no more
};

}  // namespace turnpike::http
