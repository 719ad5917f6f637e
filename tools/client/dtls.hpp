// The client's side of DTLS (RFC 7350), for tools and tests: once without any socket, so that a test may lose
// and repeat datagrams, and once as a socket that blocks, as udp.hpp has it.
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
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::client {

// Datagrams in and out; the rest is whoever's who carries them.
class DtlsClient {
 public:
  // `server_name` as the user wrote it, a name or an address; empty for any. A certificate that does not
  // verify is no error: see untrusted().
  explicit DtlsClient(const std::string& server_name = {});
  ~DtlsClient();
  DtlsClient(DtlsClient&&) noexcept;
  DtlsClient& operator=(DtlsClient&&) noexcept;

  // Begins the handshake; the server's datagrams carry it on.
  void start() {
    receive({}, [](Bytes) {});
  }
  // Calls visit(Bytes) for each message that the datagram brings; each lives for the call.
  template <class Visitor>
  void receive(Bytes datagram, Visitor&& visit) {
    feed(datagram);
    for (Bytes message = read(); !message.empty(); message = read()) visit(message);
  }
  // In one record; only when established.
  void send(Bytes message);
  // Until the handshake has something to send again, by OpenSSL's clock.
  std::optional<std::chrono::milliseconds> retransmits_in() const;
  void on_timeout();
  void say_goodbye();

  // Calls visit(Bytes) for each datagram to be sent, and forgets them.
  template <class Visitor>
  void transmit(Visitor&& visit) {
    for (std::size_t at = 0; const std::size_t size : outgoing_sizes()) {
      visit(outgoing().subspan(at, size));
      at += size;
    }
    forget_outgoing();
  }

  bool is_established() const;
  // The server said goodbye, or something went wrong.
  bool closed() const { return closed_; }
  // What went wrong; empty when nothing did.
  const std::string& problem() const { return problem_; }
  std::string untrusted() const;
  SSL* ssl() const { return ssl_.get(); }

 private:
  struct Wire;
  struct Deleter {
    void operator()(SSL* session) const { SSL_free(session); }
  };

  void feed(Bytes datagram);
  Bytes read();
  void note(int result);
  Bytes outgoing() const;
  const std::vector<std::size_t>& outgoing_sizes() const;
  void forget_outgoing();

  std::unique_ptr<Wire> wire_;
  std::unique_ptr<SSL, Deleter> ssl_;
  bool closed_ = false;
  std::string problem_;
};

// On a UDP socket of its own, connected to the server.
class DtlsSocket {
 public:
  // Port 0 means any; an unspecified address means all. Throws std::system_error, or std::runtime_error where
  // DTLS says no.
  DtlsSocket(const Endpoint& local, const Endpoint& server, const std::string& server_name = {},
             std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // Says goodbye.
  ~DtlsSocket();
  DtlsSocket(DtlsSocket&&) = default;
  DtlsSocket& operator=(DtlsSocket&&) = default;

  int fd() const { return socket_.fd(); }
  Endpoint local() const { return socket_.local(); }
  std::string untrusted() const { return dtls_.untrusted(); }
  bool closed() const { return dtls_.closed(); }
  DtlsClient& dtls() { return dtls_; }

  // What gets lost on the way is lost.
  void send(Bytes message);
  // Nothing when the time is up, or when the server has closed.
  std::optional<Datagram> receive(std::chrono::milliseconds timeout);
  // Calls visit(Bytes) for what the next datagram brings, if there is one; does not wait.
  template <class Visitor>
  void receive_next(Visitor&& visit) {
    dtls_.receive(take_datagram(), visit);
    transmit();
  }

 private:
  void shake_hands(std::chrono::milliseconds timeout);
  Bytes take_datagram();
  void transmit();

  Endpoint server_;
  UdpSocket socket_;
  DtlsClient dtls_;
  std::vector<Datagram> waiting_;  // messages that came with others, the oldest first
};

// See udp.hpp: over DTLS requests are retransmitted all the same (RFC 7350 §3).
std::optional<Answer> exchange(DtlsSocket& socket, TurnClient& client, Request request,
                               const Retransmission& timers = {},
                               const std::function<void(const Event&)>& on_other = {});

}  // namespace turnpike::client
