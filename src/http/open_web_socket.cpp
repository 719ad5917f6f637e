#include "http/open_web_socket.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/core/buffered_read_stream.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <optional>

#include "http/cost.hpp"
#include "net/asio_types.hpp"

namespace turnpike::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

using Error = boost::system::error_code;

constexpr std::size_t kKeptBuffer = 4 << 10;  // an idle socket keeps a buffer of at most this size
// At most this many messages wait for a client, as with Engine.IO. This limits empty messages too, which have
// no octets to count.
constexpr std::size_t kMaxWaitingMessages = 16 << 10;
// A client whose address has caused too much cost, maybe by another socket, may still send this many pings
// and pongs.
constexpr std::uint32_t kForgivenControls = 64;

constexpr std::size_t kBatch = 64 << 10;  // octets that are written together

// The header of a frame that is a whole message of this length (RFC 6455 §5.2). Beast itself would write one
// message, and wait before it writes the next.
void append_header(std::string& to, bool binary, std::size_t length) {
  constexpr std::size_t kMaxShort = 125;
  constexpr std::size_t kMaxMiddle = 0xffff;
  to.push_back(static_cast<char>(binary ? 0x82 : 0x81));
  std::size_t octets = 0;
  if (length <= kMaxShort) {
    to.push_back(static_cast<char>(length));
  } else if (length <= kMaxMiddle) {
    to.push_back(126);
    octets = 2;
  } else {
    to.push_back(127);
    octets = 8;
  }
  while (octets-- > 0) to.push_back(static_cast<char>(length >> (8 * octets) & 0xff));
}

// Returns the first subprotocol that the client offers, or an empty text. It is accepted, since all protocols
// here are the same under any name, and Chromium closes a WebSocket that asked for one and got none.
std::string first_subprotocol(const beast::http::fields& fields) {
  const auto offered = fields[beast::http::field::sec_websocket_protocol];
  if (offered.empty()) return {};
  const beast::http::opt_token_list list{offered};
  if (!beast::http::validate_list(list) || list.begin() == list.end()) return {};
  return std::string(*list.begin());
}

// A stream that first returns the octets that were read from it before.
class ReadAhead : public beast::buffered_read_stream<Stream&, beast::flat_buffer> {
 public:
  using buffered_read_stream::buffered_read_stream;

  template <class Handler>
  friend void async_teardown(beast::role_type role, ReadAhead& stream, Handler&& handler) {
    async_teardown(role, stream.next_layer(), std::forward<Handler>(handler));
  }
};

class Implementation final : public OpenWebSocket, public std::enable_shared_from_this<Implementation> {
 public:
  Implementation(std::unique_ptr<Stream> stream, beast::flat_buffer early, const Params& params,
                 std::uint32_t max_message)
      : stream_(std::move(stream)),
        socket_(*stream_),
        rest_(stream_->get_executor()),
        closing_handshake_timer_(stream_->get_executor()),
        max_closing_handshake_(params.deadlines.closing_handshake),
        most_waiting_(params.limits.waiting_bytes) {
    stream_->hold();
    if (early.size() > 0) socket_.next_layer().buffer() = std::move(early);
    websocket::stream_base::timeout timeout{};
    timeout.handshake_timeout = params.deadlines.handshake;
    timeout.idle_timeout = params.deadlines.silence;
    timeout.keep_alive_pings = true;
    socket_.set_option(timeout);
    socket_.read_message_max(std::max(params.limits.message_bytes, max_message));
  }

  Awaitable<bool> accept(const beast::http::request<beast::http::string_body>& upgrade,
                         const std::string& date) override {
    const std::string subprotocol = first_subprotocol(upgrade);
    socket_.set_option(websocket::stream_base::decorator([&](websocket::response_type& answer) {
      answer.set(beast::http::field::date, date);
      if (!subprotocol.empty()) answer.set(beast::http::field::sec_websocket_protocol, subprotocol);
      // Otherwise Beast would send its own name and version.
      answer.set(beast::http::field::server, "turnpike");
    }));
    const auto [error] = co_await socket_.async_accept(upgrade, net::kAsTuple);
    open_ = !error;
    co_return open_;
  }

  Awaitable<void> read_all(WebSocketHandler& handler, std::uint64_t number) override {
    // Keeps this object alive during the loop, whatever the handler releases.
    const auto self = shared_from_this();
    bool told = false;
    socket_.control_callback([&](websocket::frame_type kind, beast::string_view payload) {
      if (told) return;
      if (kind != websocket::frame_type::close) return count_control(handler, number, payload.size());
      told = true;
      handler.on_closed(number, has_closed_cleanly());
    });
    beast::flat_buffer buffer;
    beast::flat_buffer& early = socket_.next_layer().buffer();
    Error error;
    for (;;) {
      co_await rest(handler, number);
      std::tie(error, std::ignore) = co_await socket_.async_read(buffer, net::kAsTuple);
      if (error) break;
      if (early.size() == 0 && early.capacity() > 0) early.shrink_to_fit();
      const auto data = buffer.cdata();
      if (!closing_) {
        handler.on_message(number, {static_cast<const char*>(data.data()), data.size()},
                           socket_.got_binary());
      } else if (std::exchange(closes_after_next_, false)) {
        write_soon();
      }
      buffer.clear();
      if (buffer.capacity() > kKeptBuffer) buffer.shrink_to_fit();
    }
    // Without this, data that waits to be written would keep the socket open while the client does not read.
    abort();
    said_too_much_ = error == websocket::error::message_too_big;
    socket_.control_callback();
    if (!told) handler.on_closed(number, false);  // no Close frame has come
  }

  // A client counts as slow only when its socket takes no more: many messages may come at once, before
  // anything of them could be written.
  void send(std::shared_ptr<const std::string> message, bool binary) override {
    if (!open_ || closing_) return;
    if (!admit(message->size())) write_waiting();
    if (!admit(message->size())) return drop();
    waiting_bytes_ += message->size();
    waiting_.push_back({std::move(message), binary});
    write_soon();
  }

  void when_sent(std::function<void()> then) override {
    if (!open_ || closing_) return;
    sent_ = std::move(then);
    write_soon();
  }

  void close(std::uint16_t code, std::string_view reason) override {
    if (begin_to_close(code, reason)) write_soon();
  }

  void close_after_next_message(std::uint16_t code, std::string_view reason) override {
    if (begin_to_close(code, reason)) closes_after_next_ = true;
  }

  bool cost_too_much() const override { return cost_too_much_; }
  std::uint64_t rests() const override { return rests_; }
  bool was_slow() const override { return slow_; }
  bool said_too_much() const override { return said_too_much_; }

  void abort() override {
    open_ = false;
    rest_.cancel();
    closing_handshake_timer_.cancel();
    Error ignored;
    stream_->next_layer().close(ignored);
  }

 private:
  // Returns whether the received Close frame means a normal end. The frame of a page that calls close()
  // without a code has none (RFC 6455 §7.1.5).
  bool has_closed_cleanly() const {
    const std::uint16_t code = socket_.reason().code;
    return code == websocket::close_code::none || code == websocket::close_code::normal ||
           code == websocket::close_code::going_away;
  }

  // Waits while the handler asks for it. The client's messages stay in the kernel meanwhile. A client that
  // would have to wait for too long gets a Close frame with the reason.
  Awaitable<void> rest(WebSocketHandler& handler, std::uint64_t number) {
    Duration left = kMaxRest;
    while (open_ && !closing_) {
      const Duration wait = handler.rest_time(number);
      if (wait == Duration::zero()) co_return;
      if (wait > left) {
        cost_too_much_ = true;
        co_return close(static_cast<std::uint16_t>(websocket::close_code::policy_error), "too much at once");
      }
      left -= wait;
      ++rests_;
      rest_.expires_after(wait);
      co_await rest_.async_wait(net::kAsTuple);
    }
  }

  // Beast answers pings while it reads, so no pause is possible between them. A client that continues to send
  // them although its address has caused too much cost is disconnected.
  void count_control(WebSocketHandler& handler, std::uint64_t number, std::size_t size) {
    handler.on_control(number, size);
    const Duration wait = handler.rest_time(number);
    if (wait == Duration::zero()) controls_ = 0;
    if (wait <= kMaxRest || ++controls_ <= kForgivenControls) return;
    cost_too_much_ = true;
    abort();
  }

  // Returns false when it is not open, or is being closed already. From now on nothing more is sent but what
  // waits, and messages of the client are dropped.
  bool begin_to_close(std::uint16_t code, std::string_view reason) {
    if (!open_ || closing_) return false;
    closing_ = websocket::close_reason(static_cast<websocket::close_code>(code),
                                       beast::string_view(reason.data(), reason.size()));
    rest_.cancel();
    limit_closing_handshake();
    return true;
  }

  // A client that does not read its messages would never get the Close frame either, so the wait for it is
  // limited.
  void limit_closing_handshake() {
    closing_handshake_timer_.expires_after(max_closing_handshake_);
    closing_handshake_timer_.async_wait([weak = weak_from_this()](const Error& error) {
      const auto self = weak.lock();
      if (!error && self) self->abort();
    });
  }

  struct Message {
    std::shared_ptr<const std::string> text;
    bool binary;
  };

  // One message may always wait, whatever its size.
  bool admit(std::size_t size) const {
    if (waiting_.size() >= kMaxWaitingMessages) return false;
    const std::size_t octets = waiting_bytes_ + stream_->unsent();
    return most_waiting_ == 0 || octets == 0 || octets + size <= most_waiting_;
  }

  // Messages that come together are written together.
  void write_soon() {
    if (std::exchange(writing_, true)) return;
    asio::post(stream_->get_executor(), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->write();
    });
  }

  // Writes the waiting messages, and then the Close frame, if there is one.
  void write() {
    writing_ = false;
    if (!open_) return;
    write_waiting();
    if (stream_->unsent() > 0) {
      writing_ = true;
      stream_->when_sent([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->write();
      });
    } else if (closing_ && !closes_after_next_) {
      writing_ = true;
      socket_.async_close(*closing_, [self = shared_from_this()](const Error&) {});
    } else if (!closing_ && sent_) {
      std::exchange(sent_, nullptr)();
    }
  }

  // Writes as much as the socket takes.
  void write_waiting() {
    if (!socket_.is_open()) {  // a Close frame was the last that may be sent
      waiting_.clear();
      waiting_bytes_ = 0;
    }
    stream_->push();
    while (!waiting_.empty() && stream_->unsent() == 0) stream_->put(take_batch());
  }

  // The frames of the next messages.
  std::string take_batch() {
    std::string batch;
    while (!waiting_.empty() && batch.size() < kBatch) {
      const Message& message = waiting_.front();
      append_header(batch, message.binary, message.text->size());
      batch.append(*message.text);
      waiting_bytes_ -= message.text->size();
      waiting_.pop_front();
    }
    return batch;
  }

  void drop() {
    slow_ = true;
    abort();
  }

  std::unique_ptr<Stream> stream_;
  websocket::stream<ReadAhead, false> socket_;
  net::Timer rest_;
  net::Timer closing_handshake_timer_;
  Duration max_closing_handshake_;
  std::size_t most_waiting_;
  std::deque<Message> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::function<void()> sent_;  // see when_sent()
  std::optional<websocket::close_reason> closing_;
  bool closes_after_next_ = false;  // the Close frame waits for a message of the client
  bool open_ = false;
  bool writing_ = false;  // write() will be called, or the Close frame was written
  bool slow_ = false;
  bool said_too_much_ = false;
  bool cost_too_much_ = false;
  std::uint64_t rests_ = 0;
  std::uint32_t controls_ = 0;  // since the address last owed nothing
};

}  // namespace

std::shared_ptr<OpenWebSocket> OpenWebSocket::make(std::unique_ptr<Stream> stream, beast::flat_buffer early,
                                                   const Params& params, std::uint32_t max_message) {
  return std::make_shared<Implementation>(std::move(stream), std::move(early), params, max_message);
}

}  // namespace turnpike::http
