// The TCP connections of one worker with peers (RFC 6062), from their beginning until a client binds them.
// Then DataConnections has them, and this class tells the worker of the allocation when they have ended.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "net/epoll.hpp"
#include "net/tcp_socket.hpp"
#include "relay/counters.hpp"
#include "relay/data_connections.hpp"
#include "relay/event_tag.hpp"
#include "relay/mailbox.hpp"
#include "relay/peer_acceptor.hpp"
#include "relay/peer_connection_table.hpp"
#include "relay/relay_sockets.hpp"
#include "relay/streams.hpp"
#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/peer_connections.hpp"

namespace turnpike::relay {

class TcpRelays : public turn::PeerConnections, private DataConnections::Host {
 public:
  using ConnectionId = turn::ConnectionId;

  // What all workers share; outlives them.
  struct Shared {
    PeerConnectionTable& table;
    std::deque<Mailbox>& mailboxes;
    turn::ByteBudgets& server_budgets;
  };

  // All references must outlive this object.
  TcpRelays(net::Epoll& epoll, unsigned worker, const RelaySockets& relays, crypto::Random& random,
            const Shared& shared);

  // Changes the limits.
  void use(const turn::Limits& limits) { data_.use(limits); }

  std::optional<ConnectionId> connect(turn::RelayId relay, const Endpoint& peer) override;
  void offer(ConnectionId id, const auth::Identity& client, turn::SharedBudgets budgets) override;
  bool is_waiting(ConnectionId id) override { return shared_.table.is_waiting(id); }
  std::optional<auth::Identity> awaited_by(ConnectionId id) override;
  bool bind(ConnectionId id, const auth::Identity& identity, const FiveTuple& client) override;
  bool close_unbound(ConnectionId id) override;
  void close(ConnectionId id) override;

  // A connection that a peer has opened to a relayed address. The caller must offer() or close() it.
  struct Accepted {
    ConnectionId id{};
    Endpoint from;
  };
  std::optional<Accepted> accept(RelayEvent listener, TimePoint now);

  // --- What the epoll set reports
  // The result of connect(), when the event was about a connection that was being opened.
  struct Connected {
    ConnectionId id{};
    bool connected = false;
  };
  std::optional<Connected> on_event(PeerConnectionEvent event, std::uint32_t events, TimePoint now);

  // Joins the connections that were bound in this pass with the connections of their clients. Call it after
  // the answers to ConnectionBind were sent.
  void join(Streams& streams, TimePoint now);
  // Call this when the worker of the allocation wants the connection to be closed.
  void close_data_connection(ConnectionId id);
  // Returns the connections that could not even begin, since the last call.
  std::vector<ConnectionId> take_failed() { return std::exchange(failed_, {}); }
  // Connections of this worker's allocations that have ended since this was last called.
  std::vector<ConnectionId> take_closed() { return std::exchange(closed_, {}); }

  // The limits that have slowed down a connection since this was last called: a bit for each turn::LimitKey.
  std::uint32_t take_limits_reached() { return data_.take_limits_reached(); }

  void on_timeout(TimePoint now);
  SteadyTime next_deadline() const {
    return std::min({data_.next_deadline(), acceptor_.next_deadline(), retries_.next()});
  }

  const TcpRelayCounters& counters() const { return counters_; }
  // Adds what data connections of clients have carried, by their transport.
  void add_traffic_to(turn::Breakdown& breakdown) const { data_.add_traffic_to(breakdown); }

 private:
  struct Bound {
    ConnectionId id{};
    net::Fd peer;
    FiveTuple client;
    turn::SharedBudgets budgets;
  };

  // A connection to a peer that cannot begin yet, because a former one with the same addresses is still
  // there.
  struct Delayed {
    net::ConnectionEnds ends;
    SteadyTime since;  // the first try in on_timeout(), which is in the next pass
    SteadyTime next;
  };

  void begin(ConnectionId id, Result<net::Fd> socket);
  void delay(ConnectionId id, const net::ConnectionEnds& ends);
  void try_again(ConnectionId id, TimePoint now);
  void stop_trying(ConnectionId id);
  void on_ended(ConnectionId id) override;

  net::Epoll& epoll_;
  const unsigned worker_;
  const RelaySockets& relays_;
  crypto::Random& random_;
  const Shared shared_;
  TcpRelayCounters counters_;
  PeerAcceptor acceptor_;
  boost::unordered_flat_map<ConnectionId, net::Fd>
      sockets_;  // that are being connected, or were just accepted
  boost::unordered_flat_map<ConnectionId, Delayed> delayed_;
  Deadlines<ConnectionId> retries_;
  std::vector<Bound> bound_;  // in this pass; without a peer when the allocation has ended since
  std::vector<ConnectionId> failed_;
  std::vector<ConnectionId> closed_;
  DataConnections data_;
};

}  // namespace turnpike::relay
