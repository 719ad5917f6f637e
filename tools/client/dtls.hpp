// The client's side of DTLS (RFC 7350), for tools and tests. DtlsClient has no socket, so that a test can
// lose and repeat datagrams. DtlsSocket is a blocking socket with the interface of udp.hpp.
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

// Converts messages to datagrams and datagrams to messages. The caller carries the datagrams.
class DtlsClient {
 public:
  // `server_name` is a name or an address as the user wrote it; an empty one accepts any name. A certificate
  // that cannot be verified is not an error: see untrusted().
  explicit DtlsClient(const std::string& server_name = {});
  ~DtlsClient();
  DtlsClient(DtlsClient&&) noexcept;
  DtlsClient& operator=(DtlsClient&&) noexcept;

  // Begins the handshake. The server's datagrams, given to receive(), continue it.
  void start() {
    receive({}, [](Bytes) {});
  }
  // Calls visit(Bytes) for each message in the datagram. The views are valid during the call.
  template <class Visitor>
  void receive(Bytes datagram, Visitor&& visit) {
    feed(datagram);
    for (Bytes message = read(); !message.empty(); message = read()) visit(message);
  }
  // Sends a message in one record. Call it only when the handshake is done.
  void send(Bytes message);
  // The time until the handshake has to send something again, by OpenSSL's clock.
  std::optional<std::chrono::milliseconds> retransmits_in() const;
  void on_timeout();
  void send_close_notify();

  // Calls visit(Bytes) for each datagram to be sent, and then forgets these datagrams.
  template <class Visitor>
  void transmit(Visitor&& visit) {
    for (std::size_t at = 0; const std::size_t size : outgoing_sizes()) {
      visit(outgoing().subspan(at, size));
      at += size;
    }
    forget_outgoing();
  }

  bool is_established() const;
  // Whether the server has closed the association, or an error has ended it.
  bool closed() const { return closed_; }
  // The error; empty when there was none.
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

// DTLS on a UDP socket of its own, which is connected to the server.
class DtlsSocket {
 public:
  // Port 0 means any port; an unspecified address means all addresses. Throws std::system_error, or
  // std::runtime_error when the DTLS handshake fails.
  DtlsSocket(const Endpoint& local, const Endpoint& server, const std::string& server_name = {},
             std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // Sends a close_notify alert.
  ~DtlsSocket();
  DtlsSocket(DtlsSocket&&) = default;
  DtlsSocket& operator=(DtlsSocket&&) = default;

  int fd() const { return socket_.fd(); }
  Endpoint local() const { return socket_.local(); }
  std::string untrusted() const { return dtls_.untrusted(); }
  bool closed() const { return dtls_.closed(); }
  DtlsClient& dtls() { return dtls_; }

  // Sends a message. It may get lost, like any datagram.
  void send(Bytes message);
  // Returns nothing after the timeout, or when the server has closed the association.
  std::optional<Datagram> receive(std::chrono::milliseconds timeout);
  // Calls visit(Bytes) for each message in the next datagram, if there is one. It does not wait.
  template <class Visitor>
  void receive_next(Visitor&& visit) {
    dtls_.receive(take_datagram(), visit);
    transmit();
  }

 private:
  void do_handshake(std::chrono::milliseconds timeout);
  Bytes take_datagram();
  void transmit();

  Endpoint server_;
  UdpSocket socket_;
  DtlsClient dtls_;
  std::vector<Datagram> waiting_;  // messages that came in one datagram with others, oldest first
};

// Sends a request and waits for its answer; see udp.hpp. DTLS needs retransmissions too (RFC 7350 §3).
std::optional<Answer> exchange(DtlsSocket& socket, TurnClient& client, Request request,
                               const Retransmission& timers = {},
                               const std::function<void(const Event&)>& on_other = {});

}  // namespace turnpike::client
