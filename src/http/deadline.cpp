#include "http/deadline.hpp"

#include <array>

#include "net/asio_types.hpp"

namespace turnpike::http {

Awaitable<void> shut_down_and_drain(TcpSocket& socket, const Deadline& deadline) {
  boost::system::error_code error;
  socket.shutdown(TcpSocket::shutdown_send, error);
  std::array<char, 4096> unread;
  while (!error && !deadline.expired()) {
    std::tie(error, std::ignore) =
        co_await socket.async_read_some(boost::asio::buffer(unread), net::kAsTuple);
  }
}

}  // namespace turnpike::http
