// Sends the datagrams of a pass to the peers: those with the same route go to the kernel together. What the
// kernel reports about earlier ones is taken from the sockets here as well, since it would make the next send
// fail.
#pragma once

#include <cstdint>
#include <vector>

#include "net/counters.hpp"
#include "net/datagrams.hpp"
#include "relay/relay_sockets.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

class PeerSender {
 public:
  // The worker, which hands errors of the network to the core.
  class Host {
   public:
    virtual ~Host() = default;
    virtual void on_icmp(turn::RelayId relay, const Endpoint& peer, const stun::Icmp& icmp,
                         TimePoint now) = 0;
  };

  // All references must outlive this object.
  PeerSender(RelaySockets& relays, net::SendCounters& sends, Host& host)
      : relays_(relays), sends_(sends), host_(host) {}

  // Memory for this many datagrams is reserved now, so that it is there when memory runs out later.
  void reserve(std::size_t datagrams) { by_relay_.reserve(datagrams); }
  // Sends them, and returns to how many relays they belong.
  std::uint64_t send(const std::vector<turn::Output::ToPeer>& messages, TimePoint now);
  // Takes all errors of a relay's socket and calls the host with those that clients are told of.
  void take_errors(turn::RelayId relay, int fd, TimePoint now) { take_errors(relay, fd, now, nullptr); }

  const net::RunLengths& runs() const { return batch_.runs(); }

 private:
  void send_dont_fragment(const turn::Output::ToPeer& message, TimePoint now);
  bool take_errors(turn::RelayId relay, int fd, TimePoint now, const Endpoint* kept_here);

  RelaySockets& relays_;
  net::SendCounters& sends_;
  Host& host_;
  net::SendBatch batch_{sends_};
  // The datagrams, sorted by relay; each entry has a relay and an index.
  std::vector<std::uint64_t> by_relay_;
};

}  // namespace turnpike::relay
