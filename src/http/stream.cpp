#include "http/stream.hpp"

#include <boost/asio/ssl/stream.hpp>

namespace turnpike::http {

struct Stream::Tls : boost::asio::ssl::stream<TcpSocket&> {
  using stream::stream;
};

Stream::Stream(TcpSocket socket, net::TlsSession tls) : socket_(std::move(socket)) {
  if (tls) tls_ = std::make_unique<Tls>(socket_, tls.release());
}

Stream::~Stream() = default;

void Stream::shake_hands(WaitingPtr waiting) {
  tls_->async_handshake(boost::asio::ssl::stream_base::server,
                        [waiting = std::move(waiting)](Error error) { waiting->on_done(error, 0); });
}

void Stream::read_some(const BufferList<boost::asio::mutable_buffer>& room, WaitingPtr waiting) {
  auto done = [waiting = std::move(waiting)](Error error, std::size_t size) {
    waiting->on_done(error, size);
  };
  tls_ ? tls_->async_read_some(room, std::move(done)) : socket_.async_read_some(room, std::move(done));
}

void Stream::write_some(const BufferList<boost::asio::const_buffer>& bytes, WaitingPtr waiting) {
  auto done = [waiting = std::move(waiting)](Error error, std::size_t size) {
    waiting->on_done(error, size);
  };
  tls_ ? tls_->async_write_some(bytes, std::move(done)) : socket_.async_write_some(bytes, std::move(done));
}

}  // namespace turnpike::http
