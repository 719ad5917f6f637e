// Accepts the connections of peers at relayed addresses (RFC 6062). Without this class, a peer for which
// there is no descriptor would keep its listener readable, and the worker would do nothing else.
#pragma once

#include <optional>
#include <vector>

#include "net/epoll.hpp"
#include "net/fd.hpp"
#include "net/tcp_socket.hpp"
#include "relay/counters.hpp"
#include "relay/event_tag.hpp"
#include "relay/relay_sockets.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::relay {

class PeerAcceptor {
 public:
  // All references must outlive this object.
  PeerAcceptor(net::Epoll& epoll, const RelaySockets& relays, TcpRelayCounters& counters);

  // Returns nothing when nobody waits, or when there is no descriptor.
  std::optional<net::Accepted> accept(RelayEvent listener, TimePoint now);

  void on_timeout(TimePoint now) {
    if (listen_again_at_ <= now.steady) listen_again();
  }
  SteadyTime next_deadline() const { return listen_again_at_; }

 private:
  void refuse_peer(RelayEvent listener, TimePoint now);
  void listen_again();

  net::Epoll& epoll_;
  const RelaySockets& relays_;
  TcpRelayCounters& counters_;
  std::vector<RelayEvent> paused_listeners_;
  SteadyTime listen_again_at_ = SteadyTime::max();
  // A reserve: it is closed for a moment to accept and refuse a connection when there are no descriptors.
  net::Fd spare_;
};

}  // namespace turnpike::relay
