// A TCP or TLS connection that blocks, for tools and tests: one message at a time, as udp.hpp has them.
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
    std::string server_name;  // as the user wrote it, a name or an address
  };

  // Port 0 means any; an unspecified address means all. Without `tls` it is plain TCP. A certificate that
  // does not verify is no error: see untrusted(). Throws std::system_error, or std::runtime_error where TLS
  // says no.
  StreamSocket(const Endpoint& local, const Endpoint& server, const std::optional<Tls>& tls,
               std::chrono::milliseconds timeout = std::chrono::seconds(10));

  int fd() const { return fd_.get(); }
  Endpoint local() const;
  // What is wrong with the server's certificate; empty when nothing is, and for TCP.
  std::string untrusted() const;

  // All of it. Throws std::system_error.
  void send(Bytes bytes);
  // The next message, without padding. Nothing when the time is up, or when the server has closed.
  std::optional<Datagram> receive(std::chrono::milliseconds timeout);
  // `count` bytes, whatever they are; fewer when the time is up, or when the server has closed.
  std::vector<std::uint8_t> receive_bytes(std::size_t count, std::chrono::milliseconds timeout);
  // Calls visit(Bytes) for each message that is there by now, without waiting; each lives for the call.
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
  // Found out when receiving.
  bool closed() const { return closed_; }

 private:
  struct Deleter {
    void operator()(SSL* session) const { SSL_free(session); }
  };
  using Clock = std::chrono::steady_clock;

  void connect(const Endpoint& server, Clock::time_point deadline);
  void start_tls(const Tls& tls, Clock::time_point deadline);
  bool wait(short events, Clock::time_point deadline) const;
  // False when the time is up.
  bool read_more(Clock::time_point deadline);
  // False when there is nothing.
  bool read_available();
  std::optional<Datagram> take_message();

  Endpoint server_;
  net::Fd fd_;
  std::unique_ptr<SSL, Deleter> tls_;
  std::vector<std::uint8_t> received_;
  bool closed_ = false;
};

// Like exchange() of udp.hpp, but that nothing is sent twice (RFC 8489 §6.2.2).
std::optional<Answer> exchange(StreamSocket& socket, TurnClient& client, Request request,
                               std::chrono::milliseconds timeout = std::chrono::milliseconds(39'500),
                               const std::function<void(const Event&)>& on_other = {});

}  // namespace turnpike::client
