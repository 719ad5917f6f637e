// Cancels the operations of a socket at a deadline, and those that begin later, until another deadline is
// set. It leaves the socket open, so that an answer can still be sent. Beast's own timeouts would close it.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "http/message.hpp"
#include "net/asio_types.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::http {

using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, net::Executor>;

// The socket must outlive this object.
class Deadline {
 public:
  explicit Deadline(TcpSocket& socket) : state_(std::make_shared<State>(socket)) {}

  void set(Duration duration) {
    state_->expired = false;
    wait(state_, duration);
  }
  void clear() { state_->timer.expires_at(net::Timer::time_point::max()); }
  bool expired() const { return state_->expired; }

 private:
  struct State {
    explicit State(TcpSocket& s) : socket(s), timer(s.get_executor()) {}
    TcpSocket& socket;
    net::Timer timer;
    bool expired = false;
  };

  // One step of an operation may be over at the deadline although nobody has heard of it yet. Its next step
  // is only cancelled after kBetween.
  static constexpr std::chrono::milliseconds kBetween{100};

  static void wait(const std::shared_ptr<State>& waiting, Duration duration) {
    waiting->timer.expires_after(duration);
    waiting->timer.async_wait([weak = std::weak_ptr(waiting)](const boost::system::error_code& error) {
      const auto state = weak.lock();
      // When the timer was set again at the last moment, the old wait may still complete; it has to be
      // ignored.
      if (error || !state || state->timer.expiry() > net::Timer::clock_type::now()) return;
      state->expired = true;
      boost::system::error_code ignored;
      state->socket.cancel(ignored);
      wait(state, kBetween);
    });
  }

  std::shared_ptr<State> state_;
};

// How long a connection that has ended waits for the other side to end it too.
inline constexpr std::chrono::seconds kEndOfConnection{1};

// Shuts down our side, and reads until the deadline what the other side is still sending. If the socket was
// closed with unread data, the kernel would reset the connection and the other side might lose our last
// answer.
Awaitable<void> shut_down_and_drain(TcpSocket& socket, const Deadline& deadline);

}  // namespace turnpike::http
