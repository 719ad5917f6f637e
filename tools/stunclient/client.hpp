// A socket with a TURN client: it sends requests, with retransmissions over UDP and DTLS, and returns a
// success or a Problem in words. It blocks and belongs to one thread.
#pragma once

#include <chrono>
#include <iosfwd>
#include <optional>

#include "client/dtls.hpp"
#include "client/stream.hpp"
#include "client/turn_client.hpp"
#include "client/udp.hpp"
#include "stunclient/problem.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/crypto/random.hpp"

namespace turnpike::stunclient {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// The RTO of RFC 8489 §6.2.1. Unlike there, the last wait ends with the timeout.
inline constexpr milliseconds kRto{500};

// The data that all clients of a run share. The references must outlive the clients.
struct Context {
  crypto::Digester& digester;
  crypto::Random& random;
  std::ostream* trace = nullptr;  // messages are described here, unless it is null
  bool trace_attributes = false;
  std::optional<client::Credentials> credentials{};
  milliseconds timeout{};
  Transport transport = Transport::udp;  // of the target that is tried now
  std::string host{};                    // as the user wrote it; for the certificate
};

struct Answer {
  client::Datagram datagram;
  client::Success success;  // views the datagram
  microseconds time{};      // since the first transmission, with all challenges
};

class Client {
 public:
  enum class Connect : bool { no, yes };
  // The sources whose answers count. Only a socket that is not connected receives from others than the
  // server.
  enum class From : bool { server, anybody };

  // Only a connected socket receives ICMP errors, and only an unconnected one can exchange data with others
  // than the server. Streams and DTLS are always connected. Throws std::system_error, or std::runtime_error
  // when the TLS handshake fails.
  Client(const Context& context, const Endpoint& local, const Endpoint& server, Connect connect);

  Result<Answer, Problem> ask(client::Request request, From from = From::server);

  // Continues with another server from the same port (UDP, connected). Throws std::system_error.
  void set_server(const Endpoint& server);

  // Sends a datagram that is not a request. It may get lost, and so may the kernel's error report for it.
  void send(Bytes datagram, const Endpoint& to);
  std::optional<client::Datagram> receive(milliseconds timeout);

  client::TurnClient& turn() { return turn_; }
  const Endpoint& server() const { return server_; }
  Endpoint local() const { return stream_ ? stream_->local() : dtls_ ? dtls_->local() : socket_->local(); }
  bool is_stream() const { return stream_.has_value(); }
  // Whether others than the server can reach the socket.
  bool is_plain_udp() const { return socket_.has_value(); }
  // See client::StreamSocket.
  std::string untrusted() const {
    return stream_ ? stream_->untrusted() : dtls_ ? dtls_->untrusted() : std::string();
  }

 private:
  // An event that settles or replaces the request, with the datagram that it views.
  struct Heard {
    client::Datagram datagram;
    client::Event event;
  };

  // Each retry replaces `request`. Throws std::system_error.
  Result<Answer, Problem> transact(client::Request& request);
  void transmit(const client::Request& request);
  std::optional<Heard> listen(const client::Request& request, Clock::time_point until);
  std::optional<client::Datagram> receive_from_server(Clock::time_point until);
  std::optional<client::Datagram> receive_datagram(Clock::time_point until);
  // Returns true when the event settles the request. Notes a message that was ignored.
  bool record_event(const client::Event& event, const client::Request& request);
  Result<Answer, Problem> conclude(Heard heard, microseconds time) const;

  void trace_sent(const client::Request& request) const;
  void trace_received(const client::Datagram& datagram, const client::Event& event) const;

  const Context& context_;
  Endpoint server_;
  bool is_closed() const { return stream_ ? stream_->closed() : dtls_ && dtls_->closed(); }

  // Exactly one of the three has a value.
  std::optional<client::UdpSocket> socket_;
  std::optional<client::StreamSocket> stream_;
  std::optional<client::DtlsSocket> dtls_;
  client::TurnClient turn_;
  std::optional<client::Ignored> ignored_;  // the last ignored message since the request was sent
  From from_ = From::server;
};

}  // namespace turnpike::stunclient
