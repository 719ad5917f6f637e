// UDP sockets that block, for tools and tests: one datagram at a time, and the request-and-answer exchange of
// RFC 8489 §6.2.1 with its retransmissions.
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

// The addresses of HOST, all of them with this port, in the resolver's order. `family` narrows them. Throws
// std::runtime_error when there is none. HOST may stand in brackets.
std::vector<Endpoint> resolve(const std::string& host, std::uint16_t port, std::optional<Family> family = {});

struct Datagram {
  std::vector<std::uint8_t> bytes;
  Endpoint from;
};

// Everything here throws std::system_error, except where it says otherwise.
class UdpSocket {
 public:
  // Port 0 means any; an unspecified address means all.
  explicit UdpSocket(const Endpoint& local);

  int fd() const { return fd_.get(); }
  Endpoint local() const;

  // From here on only what this peer sends arrives, and local() has an address of its own.
  void connect(const Endpoint& peer);
  // Whatever the network does to a datagram may also be done to it here: errors are a datagram lost.
  void send_to(Bytes bytes, const Endpoint& peer);
  // Nothing when the time is up. An ICMP error on a connected socket is not waited out, but skipped.
  std::optional<Datagram> receive(std::chrono::milliseconds timeout);

 private:
  net::Fd fd_;
};

// RFC 8489 §6.2.1: a request is sent `count` times, the wait doubling from `rto`; after the last one the wait
// is rto * last_wait.
struct Retransmission {
  std::chrono::milliseconds rto{500};
  int count = 7;
  int last_wait = 16;
};

// The answer and the datagram that it views.
struct Answer {
  Datagram datagram;
  Event event;                             // Success or Failure
  std::chrono::microseconds round_trip{};  // of the last request, from its latest transmission
};

// Sends `request` to `server`, again as often as it takes, and so with each retry that a challenge leads to.
// What arrives meanwhile and is no answer goes to `on_other`. Nothing when no answer came.
std::optional<Answer> exchange(UdpSocket& socket, const Endpoint& server, TurnClient& client, Request request,
                               const Retransmission& timers = {},
                               const std::function<void(const Event&)>& on_other = {});

}  // namespace turnpike::client
