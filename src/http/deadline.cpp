#include "http/deadline.hpp"

#include <array>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace turnpike::http {
namespace {

constexpr auto kToken = boost::asio::experimental::as_tuple(boost::asio::use_awaitable_t<Executor>());
constexpr std::chrono::seconds kMoment{1};

}  // namespace

Awaitable<void> see_off(TcpSocket& socket) {
  boost::system::error_code error;
  socket.shutdown(TcpSocket::shutdown_send, error);
  Deadline deadline(socket);
  deadline.set(kMoment);
  std::array<char, 4096> unread;
  while (!error && !deadline.expired()) {
    std::tie(error, std::ignore) = co_await socket.async_read_some(boost::asio::buffer(unread), kToken);
  }
}

}  // namespace turnpike::http
