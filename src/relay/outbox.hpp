// Sends what a pass of a worker has to send, in the order that is safe: first to the peers, then to the
// clients. In between, the relays that have ended are closed.
#pragma once

#include <cstdint>
#include <deque>

#include "net/counters.hpp"
#include "relay/client_sender.hpp"
#include "relay/clients.hpp"
#include "relay/mailbox.hpp"
#include "relay/peer_sender.hpp"
#include "relay/relay_sockets.hpp"
#include "relay/relayed_mail.hpp"
#include "relay/roaming.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

class Outbox {
 public:
  // All references must outlive this object.
  struct Parts {
    RelaySockets& relays;
    Clients& clients;
    Roaming& roaming;
    std::deque<Mailbox>& mailboxes;  // of all workers
    net::SendCounters& sends;
    PeerSender::Host& host;
    Counter& out_of_memory;
  };

  explicit Outbox(const Parts& parts)
      : to_peers_(parts.relays, parts.sends, parts.host),
        to_workers_(parts.mailboxes),
        to_clients_(parts.clients, parts.roaming, parts.out_of_memory),
        out_of_memory_(parts.out_of_memory) {}

  // Memory for this many datagrams to peers is reserved now, so that it is there when memory runs out later.
  void reserve(std::size_t datagrams) { to_peers_.reserve(datagrams); }
  // Sends all messages, and closes the relays of the output. Returns how many flows of datagrams these are;
  // see BatchPacer::Pass. What needs memory when there is none is lost.
  std::uint64_t send(turn::Output& output, TimePoint now);
  // See PeerSender.
  void take_errors(turn::RelayId relay, int fd, TimePoint now) { to_peers_.take_errors(relay, fd, now); }

  const net::RunLengths& runs() const { return to_peers_.runs(); }

 private:
  PeerSender to_peers_;
  RelayedMail to_workers_;
  ClientSender to_clients_;
  Counter& out_of_memory_;
};

}  // namespace turnpike::relay
