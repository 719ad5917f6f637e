#include "http/stream.hpp"

#include <boost/asio/ssl/stream.hpp>
#include <optional>

#include "http/wire.hpp"

namespace turnpike::http {

struct Stream::Layers {
  explicit Layers(TcpSocket connected) : wire(std::make_shared<Wire>(std::move(connected))) {}

  std::shared_ptr<Wire> wire;
  std::optional<boost::asio::ssl::stream<Wire&>> tls;
};

Stream::Stream(TcpSocket socket, net::TlsSession tls) : layers_(std::make_shared<Layers>(std::move(socket))) {
  if (tls) layers_->tls.emplace(*layers_->wire, tls.release());
}

Stream::~Stream() = default;

Stream::executor_type Stream::get_executor() { return layers_->wire->get_executor(); }
TcpSocket& Stream::next_layer() { return layers_->wire->socket(); }
const TcpSocket& Stream::next_layer() const { return layers_->wire->socket(); }
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
  layers_->wire->async_read_some(room, std::move(done));
}

void Stream::write_some(const BufferList<boost::asio::const_buffer>& bytes, WaitingPtr waiting) {
  auto done = [layers = layers_, waiting = std::move(waiting)](Error error, std::size_t size) {
    waiting->on_done(error, size);
  };
  if (secure()) return layers_->tls->async_write_some(bytes, std::move(done));
  layers_->wire->async_write_some(bytes, std::move(done));
}

void Stream::hold() { layers_->wire->hold(); }
std::size_t Stream::unsent() const { return layers_->wire->unsent(); }
void Stream::push() { layers_->wire->push(); }

void Stream::put(std::string_view octets) {
  Error error;
  if (!secure()) {
    layers_->wire->write_some(boost::asio::buffer(octets.data(), octets.size()), error);
    return;
  }
  // TLS takes a record at a time.
  while (!octets.empty() && !error) {
    const auto left = boost::asio::buffer(octets.data(), octets.size());
    octets.remove_prefix(layers_->tls->write_some(left, error));
  }
  Error ignored;
  if (error) next_layer().close(ignored);  // whoever reads hears of it
}

void Stream::when_sent(std::function<void()> then) {
  layers_->wire->when_sent([then = std::move(then)](const Error&) { then(); });
}

Awaitable<void> Stream::end(std::shared_ptr<Layers> layers) {
  Deadline deadline(layers->wire->socket());
  deadline.set(kEndOfConnection);
  if (layers->tls) {
    // Sends the close_notify, and then reads the other side's.
    co_await layers->tls->async_shutdown(net::kAsTuple);
  }
  co_await shut_down_and_drain(layers->wire->socket(), deadline);
}

}  // namespace turnpike::http
