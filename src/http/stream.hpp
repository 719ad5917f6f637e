// The octets of a connection, with or without TLS. One type serves both, so that Beast is compiled only once
// for it. The completion handler of an operation is behind a virtual call, so Asio's operations on the socket
// and on TLS are compiled only once too.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "http/deadline.hpp"
#include "net/tls_context.hpp"

namespace turnpike::http {

// An AsyncStream for Asio and Beast. It belongs to the thread that runs its executor's io_context.
class Stream {
 public:
  using executor_type = net::Executor;
  using next_layer_type = TcpSocket;
  using Error = boost::system::error_code;

  // Uses TLS with `tls`, whose handshake may be done already; plain TCP when `tls` is null.
  Stream(TcpSocket socket, net::TlsSession tls);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  executor_type get_executor();
  TcpSocket& next_layer();
  const TcpSocket& next_layer() const;

  bool secure() const;
  // Await this before all other operations on a secure stream whose handshake is not done.
  template <class Token>
  auto async_handshake(Token&& token) {
    return boost::asio::async_initiate<Token, void(Error)>(
        [this](auto handler) {
          do_handshake(make_waiting([handler = std::move(handler)](Error error, std::size_t) mutable {
            std::move(handler)(error);
          }));
        },
        token);
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(Error, std::size_t)>(
        [this](auto handler, const auto& room) {
          read_some(list_of<boost::asio::mutable_buffer>(room), make_waiting(std::move(handler)));
        },
        token, buffers);
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(Error, std::size_t)>(
        [this](auto handler, const auto& bytes) {
          write_some(list_of<boost::asio::const_buffer>(bytes), make_waiting(std::move(handler)));
        },
        token, buffers);
  }

  // A WebSocket writes in another way: after hold(), put() takes all octets at once. The socket gets as much
  // of them as it takes, and the rest waits; see Wire. What async_write_some is given is taken at once as
  // well, so it does not come between the octets of one put(), and completes when the socket has taken it.
  void hold();
  void put(std::string_view octets);
  std::size_t unsent() const;
  void push();
  // Calls `then` later, when the socket has taken what was put until now or when the connection has failed.
  void when_sent(std::function<void()> then);

  // Ends the connection: TLS (RFC 8446 §6.1) and then TCP. Waits a moment for the other side to end it too.
  // The stream must not be in use otherwise.
  Awaitable<void> end() { return end(layers_); }

  // Ends the layer below a WebSocket (RFC 6455 §7.1.1). Beast's own function reads only once.
  template <class Handler>
  friend void async_teardown(boost::beast::role_type, Stream& stream, Handler&& handler) {
    boost::asio::co_spawn(stream.get_executor(), stream.end(),
                          [handler = std::forward<Handler>(handler)](const std::exception_ptr&) mutable {
                            std::move(handler)(boost::system::error_code());
                          });
  }

 private:
  // The completion handler of an operation. It is called once, on the io_context's thread, and never before
  // the function that began the operation has returned.
  struct Waiting {
    virtual ~Waiting() = default;
    virtual void on_done(Error error, std::size_t size) = 0;
  };
  using WaitingPtr = std::unique_ptr<Waiting>;
  template <class Handler>
  static WaitingPtr make_waiting(Handler handler) {
    struct Of final : Waiting {
      explicit Of(Handler h) : handler(std::move(h)) {}
      void on_done(Error error, std::size_t size) override { std::move(handler)(error, size); }
      Handler handler;
    };
    return std::make_unique<Of>(std::move(handler));
  }

  // The buffers of one operation, up to the capacity of the list; the next operation handles the others.
  // Beast makes a buffer of each header, and an answer should fit with its body into one TLS record.
  template <class Buffer>
  using BufferList = boost::container::static_vector<Buffer, 32>;
  template <class Buffer, class Buffers>
  static BufferList<Buffer> list_of(const Buffers& buffers) {
    BufferList<Buffer> list;
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end && list.size() < list.capacity();
         ++at) {
      if (const Buffer buffer = *at; buffer.size() != 0) list.push_back(buffer);
    }
    return list;
  }

  void do_handshake(WaitingPtr waiting);
  void read_some(const BufferList<boost::asio::mutable_buffer>& room, WaitingPtr waiting);
  void write_some(const BufferList<boost::asio::const_buffer>& bytes, WaitingPtr waiting);

  // The socket and TLS stay alive until their last operation has ended. That may be later than the end of the
  // stream, since Beast's pings keep nothing alive.
  struct Layers;
  static Awaitable<void> end(std::shared_ptr<Layers> layers);

  std::shared_ptr<Layers> layers_;
};

}  // namespace turnpike::http
