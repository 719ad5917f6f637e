// A blocking TCP or TLS connection for tools and tests. It receives one message at a time, like udp.hpp.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/turn_client.hpp"
#include "client/udp.hpp"
#include "net/fd.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/stun/stream_framer.hpp"

namespace turnpike::client {

class StreamSocket {
 public:
  struct Tls {
    std::string server_name;  // a name or an address, as the user wrote it
  };

  // Port 0 means any port; an unspecified address means all addresses. Without `tls` it is plain TCP. A
  // certificate that cannot be verified is not an error: see untrusted(). Throws std::system_error, or
  // std::runtime_error when the TLS handshake fails.
  StreamSocket(const Endpoint& local, const Endpoint& server, const std::optional<Tls>& tls,
               std::chrono::milliseconds timeout = std::chrono::seconds(10));

  int fd() const { return fd_.get(); }
  Endpoint local() const;
  // Why the certificate of the server cannot be verified; empty when it can, and for TCP.
  std::string untrusted() const;

  // Sends all octets. Throws std::system_error.
  void send(Bytes bytes);
  // The next message without its padding. Nothing after the timeout, or when the server has closed the
  // connection.
  std::optional<Datagram> receive(std::chrono::milliseconds timeout);
  // Receives `count` octets of any kind. Fewer after the timeout, or when the server has closed the
  // connection.
  std::vector<std::uint8_t> receive_bytes(std::size_t count, std::chrono::milliseconds timeout);
  // Calls visit(Bytes) for each message that has arrived, without waiting. The views are valid during the
  // call.
  template <class Visitor>
  void receive_all(Visitor&& visit) {
    while (read_available()) {
      std::size_t at = 0;
      for (;;) {
        const stun::Frame frame = stun::next_frame(Bytes(received_).subspan(at));
        if (frame.message.empty()) break;
        visit(frame.message);
        at += frame.consumed;
      }
      received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  // Whether the server has closed the connection. Only the receive functions notice this.
  bool closed() const { return closed_; }

 private:
  struct Deleter {
    void operator()(SSL* session) const { SSL_free(session); }
  };
  using Clock = std::chrono::steady_clock;

  void connect(const Endpoint& server, Clock::time_point deadline);
  void start_tls(const Tls& tls, Clock::time_point deadline);
  bool wait(short events, Clock::time_point deadline) const;
  // Returns false after the deadline.
  bool read_more(Clock::time_point deadline);
  // Returns false when no data has arrived.
  bool read_available();
  std::optional<Datagram> take_message();

  Endpoint server_;
  net::Fd fd_;
  std::unique_ptr<SSL, Deleter> tls_;
  std::vector<std::uint8_t> received_;
  bool closed_ = false;
};

// Like exchange() of udp.hpp, but without retransmissions (RFC 8489 §6.2.2).
std::optional<Answer> exchange(StreamSocket& socket, TurnClient& client, Request request,
                               std::chrono::milliseconds timeout = std::chrono::milliseconds(39'500),
                               const std::function<void(const Event&)>& on_other = {});

}  // namespace turnpike::client
