#include "http/client_watch.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <utility>

namespace turnpike::http {
namespace {

constexpr std::chrono::seconds kBetweenLooks{1};

// Returns whether the other side has closed its direction, even if unread data is still there.
bool has_ended(TcpSocket& socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  return info.tcpi_state != TCP_ESTABLISHED;
}

}  // namespace

void ClientWatch::begin(std::function<void()> gone) {
  gone_ = std::make_shared<std::function<void()>>(std::move(gone));
  wait(gone_);
}

void ClientWatch::report_gone() {
  if (gone_) (*std::exchange(gone_, nullptr))();
}

// Only the end of the connection is of interest. Data that the client sends early stays in the socket, and
// since the socket is readable from then on, we look again from time to time. Behind TLS such data may be the
// close_notify of a client that is about to go.
void ClientWatch::wait(const std::weak_ptr<std::function<void()>>& gone) {
  socket_.async_wait(TcpSocket::wait_read, [this, gone](const boost::system::error_code& error) {
    if (gone.expired()) return;
    if (error || has_ended(socket_)) return report_gone();
    look_again_.expires_after(kBetweenLooks);
    look_again_.async_wait([this, gone](const boost::system::error_code& cancelled) {
      if (!cancelled && !gone.expired()) wait(gone);
    });
  });
}

}  // namespace turnpike::http
