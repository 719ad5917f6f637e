#include "http/stream.hpp"

#include <boost/asio/ssl/stream.hpp>
#include <optional>

namespace turnpike::http {

struct Stream::Layers {
  explicit Layers(TcpSocket connected) : socket(std::move(connected)) {}

  TcpSocket socket;
  std::optional<boost::asio::ssl::stream<TcpSocket&>> tls;
};

Stream::Stream(TcpSocket socket, net::TlsSession tls) : layers_(std::make_shared<Layers>(std::move(socket))) {
  if (tls) layers_->tls.emplace(layers_->socket, tls.release());
}

Stream::~Stream() = default;

Stream::executor_type Stream::get_executor() { return layers_->socket.get_executor(); }
TcpSocket& Stream::next_layer() { return layers_->socket; }
const TcpSocket& Stream::next_layer() const { return layers_->socket; }
bool Stream::secure() const { return layers_->tls.has_value(); }

void Stream::do_handshake(WaitingPtr waiting) {
  layers_->tls->async_handshake(
      boost::asio::ssl::stream_base::server,
      [layers = layers_, waiting = std::move(waiting)](Error error) { waiting->on_done(error, 0); });
}

void Stream::read_some(const BufferList<boost::asio::mutable_buffer>& room, WaitingPtr waiting) {
  auto done = [layers = layers_, waiting = std::move(waiting)](Error error, std::size_t size) {
    waiting->on_done(error, size);
  };
  if (secure()) return layers_->tls->async_read_some(room, std::move(done));
  layers_->socket.async_read_some(room, std::move(done));
}

void Stream::write_some(const BufferList<boost::asio::const_buffer>& bytes, WaitingPtr waiting) {
  auto done = [layers = layers_, waiting = std::move(waiting)](Error error, std::size_t size) {
    waiting->on_done(error, size);
  };
  if (secure()) return layers_->tls->async_write_some(bytes, std::move(done));
  layers_->socket.async_write_some(bytes, std::move(done));
}

Awaitable<void> Stream::end(std::shared_ptr<Layers> layers) {
  Deadline deadline(layers->socket);
  deadline.set(kEndOfConnection);
  if (layers->tls) {
    // Sends the close_notify, and then reads the other side's.
    co_await layers->tls->async_shutdown(net::kAsTuple);
  }
  co_await shut_down_and_drain(layers->socket, deadline);
}

}  // namespace turnpike::http
