// Blocking UDP sockets for tools and tests: single datagrams, and requests with the retransmissions of RFC
// 8489 §6.2.1.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/turn_client.hpp"
#include "net/fd.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::client {

// All addresses of HOST with this port, in the order of the resolver; `family` selects one family. HOST may
// be in brackets. Throws std::runtime_error when there is no address.
std::vector<Endpoint> resolve(const std::string& host, std::uint16_t port, std::optional<Family> family = {});

struct Datagram {
  std::vector<std::uint8_t> bytes;
  Endpoint from;
};

// All functions throw std::system_error, unless their comment says otherwise.
class UdpSocket {
 public:
  // Port 0 means any port; an unspecified address means all addresses.
  explicit UdpSocket(const Endpoint& local);

  int fd() const { return fd_.get(); }
  Endpoint local() const;

  // Connects the socket: it then receives only from this peer, and local() is a specific address.
  void connect(const Endpoint& peer);
  // Sends a datagram. Errors are ignored, as the network may lose a datagram as well.
  void send_to(Bytes bytes, const Endpoint& peer);
  // Returns nothing after the timeout. An ICMP error on a connected socket is skipped.
  std::optional<Datagram> receive(std::chrono::milliseconds timeout);

 private:
  net::Fd fd_;
};

// RFC 8489 §6.2.1: a request is sent `count` times. The first wait is `rto`, each further wait is twice as
// long, and the wait after the last transmission is rto * last_wait.
struct Retransmission {
  std::chrono::milliseconds rto{500};
  int count = 7;
  int last_wait = 16;
};

// The answer and the datagram that it views.
struct Answer {
  Datagram datagram;
  Event event;                             // of the last request, from its latest transmission
  std::chrono::microseconds round_trip{};  // of the last request, from its latest transmission
};

// Sends `request` to `server` with retransmissions, and answers challenges with a retry. Messages that are
// not the answer go to `on_other`. Returns nothing when no answer came.
std::optional<Answer> exchange(UdpSocket& socket, const Endpoint& server, TurnClient& client, Request request,
                               const Retransmission& timers = {},
                               const std::function<void(const Event&)>& on_other = {});

}  // namespace turnpike::client
