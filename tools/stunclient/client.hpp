// A socket and the TURN client behind it: requests, over UDP and DTLS with their retransmissions, each
// answered by a success or by a Problem in words. Blocks; one thread.
#pragma once

#include <chrono>
#include <iosfwd>
#include <optional>
#include <vector>

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

// RFC 8489 §6.2.1, but that the last wait ends with the timeout. RTO as the RFC recommends it.
inline constexpr milliseconds kRto{500};

// What all clients of a run share. The references outlive them.
struct Context {
  crypto::Digester& digester;
  crypto::Random& random;
  std::ostream* trace = nullptr;  // where messages are told of
  bool trace_attributes = false;
  std::optional<client::Credentials> credentials{};
  milliseconds timeout{};
  Transport transport = Transport::udp;  // each target has its own
  std::string host{};                    // as the user wrote it, for the certificate
};

struct Answer {
  client::Datagram datagram;
  client::Success success;  // views the datagram
  microseconds time{};      // since the first transmission, challenges and all
};

class Client {
 public:
  enum class Connect : bool { no, yes };
  // Whose answers count. Others than the server's reach only a socket that is not connected.
  enum class From : bool { server, anybody };

  // Only a connected socket hears of ICMP errors; only an unconnected one can talk to others than the server.
  // Streams and DTLS are always connected. Throws std::system_error, or std::runtime_error where TLS says no.
  Client(const Context& context, const Endpoint& local, const Endpoint& server, Connect connect);

  Result<Answer, Problem> ask(client::Request request, From from = From::server);

  // The same port, and from here on another server: UDP, connected. Throws std::system_error.
  void turn_to(const Endpoint& server);

  // For what is no request: a datagram may get lost, and so may the kernel's complaint about it.
  void send(Bytes datagram, const Endpoint& to);
  std::optional<client::Datagram> receive(milliseconds timeout);

  client::TurnClient& turn() { return turn_; }
  const Endpoint& server() const { return server_; }
  Endpoint local() const { return stream_ ? stream_->local() : dtls_ ? dtls_->local() : socket_->local(); }
  bool is_stream() const { return stream_.has_value(); }
  // Whether it is a socket that others than the server may reach.
  bool is_plain_udp() const { return socket_.has_value(); }
  // See StreamSocket.
  std::string untrusted() const {
    return stream_ ? stream_->untrusted() : dtls_ ? dtls_->untrusted() : std::string();
  }

 private:
  // An event that settles the request or replaces it, and the datagram that it views.
  struct Heard {
    client::Datagram datagram;
    client::Event event;
  };

  // `request` is replaced by each retry. Throws std::system_error.
  Result<Answer, Problem> transact(client::Request& request);
  void transmit(const client::Request& request);
  std::optional<Heard> listen(const client::Request& request, Clock::time_point until);
  std::optional<client::Datagram> receive_from_server(Clock::time_point until);
  std::optional<client::Datagram> receive_datagram(Clock::time_point until);
  bool settles(const client::Event& event, const client::Request& request);
  Result<Answer, Problem> conclude(Heard heard, microseconds time) const;

  void trace_sent(const client::Request& request) const;
  void trace_received(const client::Datagram& datagram, const client::Event& event) const;

  const Context& context_;
  Endpoint server_;
  bool is_closed() const { return stream_ ? stream_->closed() : dtls_ && dtls_->closed(); }

  // One of the three.
  std::optional<client::UdpSocket> socket_;
  std::optional<client::StreamSocket> stream_;
  std::optional<client::DtlsSocket> dtls_;
  client::TurnClient turn_;
  std::optional<client::Ignored> ignored_;  // since the request was sent
  From from_ = From::server;
};

}  // namespace turnpike::stunclient
