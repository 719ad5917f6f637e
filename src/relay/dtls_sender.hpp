// Sends the datagrams of DTLS associations: through the socket of a listener, and by the flow of a load
// balancer where there is one. They wait in buffers, so that those for one socket go to the kernel together.
#pragma once

#include <vector>

#include "net/counters.hpp"
#include "net/datagrams.hpp"
#include "net/dtls.hpp"
#include "relay/listener_socket.hpp"
#include "relay/proxied_clients.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::relay {

class DtlsSender {
 public:
  // The sockets and flows by which datagrams arrive and leave.
  struct Ways {
    const std::vector<ListenerSocket>& listeners;
    ProxiedClients& proxied;
  };

  // All references must outlive this object, and the sockets of the listeners must stay open.
  DtlsSender(const Ways& ways, net::SendCounters& sends) : ways_(ways), batch_(sends) {}

  // Where DTLS puts what it wants to send. Call make_room() before each step of an association.
  net::DtlsBuffers& buffers() { return buffers_; }
  const net::DtlsBuffers& buffers() const { return buffers_; }
  void make_room() {
    if (!buffers_.has_room()) send();
  }
  // Sends what DTLS has left in the buffers, by the end of the pass.
  void transmit(PathId udp_path, const FiveTuple& tuple);
  // Sends all that waits, and makes the buffers free again.
  void send();

 private:
  const Ways ways_;
  net::DtlsBuffers buffers_;
  net::SendBatch batch_;
};

}  // namespace turnpike::relay
