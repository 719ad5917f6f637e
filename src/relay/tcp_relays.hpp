// One worker's TCP connections with peers (RFC 6062), and the data connections of clients that they are
// joined with. What came by one goes out by the other, as it is; who does not take what is meant for it holds
// the other one back. Where more comes than limits.bytes_per_second and its kin allow, nothing is read for a
// while.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "net/epoll.hpp"
#include "net/stream.hpp"
#include "relay/counters.hpp"
#include "relay/event_tag.hpp"
#include "relay/mailbox.hpp"
#include "relay/peer_connection_table.hpp"
#include "relay/relay_sockets.hpp"
#include "relay/streams.hpp"
#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/stream_shaper.hpp"

namespace turnpike::relay {

class TcpRelays : public turn::PeerConnections {
 public:
  using ConnectionId = turn::ConnectionId;

  // What all workers share; outlives them.
  struct Shared {
    PeerConnectionTable& table;
    std::deque<Mailbox>& mailboxes;
    turn::ByteBudgets& server_budgets;
  };

  // References outlive this.
  TcpRelays(net::Epoll& epoll, unsigned worker, const RelaySockets& relays, crypto::Random& random,
            const Shared& shared);

  // From now on these limits hold.
  void use(const turn::Limits& limits) { limits_ = limits; }

  std::optional<ConnectionId> connect(turn::RelayId relay, const Endpoint& peer) override;
  void offer(ConnectionId id, const auth::Identity& client, turn::SharedBudgets budgets) override;
  std::optional<auth::Identity> awaited_by(ConnectionId id) override;
  bool bind(ConnectionId id, const auth::Identity& identity, const FiveTuple& client) override;
  bool close_unbound(ConnectionId id) override;
  void close(ConnectionId id) override;

  // A connection that a peer began to the relayed address with this socket. To be offered or closed.
  struct Accepted {
    ConnectionId id{};
    Endpoint from;
  };
  std::optional<Accepted> accept(int listener);

  // --- What the epoll set reports
  // What has become of a connection that was asked for, where it is about one.
  struct Connected {
    ConnectionId id{};
    bool connected = false;
  };
  std::optional<Connected> on_event(PeerConnectionEvent event, std::uint32_t events, TimePoint now);

  // Joins what was bound in this pass with the clients' connections, once their answers were sent.
  void join(Streams& streams, TimePoint now);
  // By the allocation's worker.
  void close_data_connection(ConnectionId id);
  // Connections that were asked for and cannot be had at all, since this was last called.
  std::vector<ConnectionId> take_failed() { return std::exchange(failed_, {}); }
  // Connections of this worker's allocations that have ended since this was last called.
  std::vector<ConnectionId> take_closed() { return std::exchange(closed_, {}); }

  // The limits that have slowed down a connection since this was last called: a bit for each turn::LimitKey.
  std::uint32_t take_limits_reached() { return std::exchange(limits_reached_, 0); }

  void on_timeout(TimePoint now);
  SteadyTime next_deadline() const { return std::min(deadlines_.next(), paused_.next()); }

  const TcpRelayCounters& counters() const { return counters_; }

 private:
  static Side other(Side side) { return side == Side::client ? Side::peer : Side::client; }
  static turn::Direction direction_from(Side side) {
    return side == Side::client ? turn::Direction::from_client : turn::Direction::to_client;
  }
  struct End {
    explicit End(net::Stream s) : stream(std::move(s)) {}
    bool is_paused() const { return resume_at != SteadyTime{}; }

    net::Stream stream;
    std::uint32_t watched = 0;  // events
    bool ended = false;         // nothing more comes from it
    turn::StreamShaper shaper;
    SteadyTime resume_at;  // when it is read again, where more has come from it than may pass
  };
  struct Joined {
    Joined(net::Stream client, net::Stream peer) : ends{End(std::move(client)), End(std::move(peer))} {}
    End& at(Side side) { return ends[static_cast<std::size_t>(side)]; }

    turn::SharedBudgets budgets;  // outlive the ends, which may wait for them
    End ends[2];
    SteadyTime deadline;  // of what still waits to go out, once an end is gone
  };
  struct Bound {
    ConnectionId id{};
    net::Fd peer;
    FiveTuple client;
    turn::SharedBudgets budgets;
  };

  void begin(ConnectionId id, Result<net::Fd> socket);
  void add(Bound bound, net::Stream client, TimePoint now);
  // False when the two are to be parted.
  bool pass_on(ConnectionId id, Joined& joined, Side from, std::uint32_t events, TimePoint now);
  bool forward(Joined& joined, Side from, TimePoint now);
  bool pause(ConnectionId id, Joined& joined, Side from, TimePoint now);
  turn::StreamLimits limits_from(const Joined& joined, Side from) const;
  void charge(Joined& joined, Side from, const turn::StreamLimits& limits, std::size_t size, TimePoint now);
  void resume(ConnectionId id, Side side);
  void watch_both(ConnectionId id, Joined& joined);
  void part(ConnectionId id);

  net::Epoll& epoll_;
  const unsigned worker_;
  const RelaySockets& relays_;
  crypto::Random& random_;
  const Shared shared_;
  TcpRelayCounters counters_;
  boost::unordered_flat_map<ConnectionId, net::Fd>
      sockets_;  // that are being connected, or were just accepted
  std::vector<Bound> bound_;
  boost::unordered_flat_map<ConnectionId, std::unique_ptr<Joined>> joined_;
  Deadlines<ConnectionId> deadlines_;
  Deadlines<std::pair<ConnectionId, Side>> paused_;
  turn::Limits limits_;
  std::uint32_t limits_reached_ = 0;
  std::vector<ConnectionId> failed_;
  std::vector<ConnectionId> closed_;
  std::unique_ptr<net::StreamBuffers> buffers_;  // from the first data connection on
  net::Fd spare_;  // given up for a moment to turn away who cannot be had for want of descriptors
};

}  // namespace turnpike::relay
