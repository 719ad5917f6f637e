// The TCP connections of one worker with peers (RFC 6062), and the clients' data connections that they are
// joined with. Octets that arrive on one side are sent on the other side unchanged. When a side does not
// accept its data, nothing is read from the other side. When more arrives than limits.bytes_per_second and
// the similar limits allow, nothing is read for a while.
#pragma once

#include <algorithm>
#include <array>
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
#include "relay/farewells.hpp"
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

  // All references must outlive this object.
  TcpRelays(net::Epoll& epoll, unsigned worker, const RelaySockets& relays, crypto::Random& random,
            const Shared& shared);

  // Changes the limits.
  void use(const turn::Limits& limits) { limits_ = limits; }

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
  std::uint32_t take_limits_reached() { return std::exchange(limits_reached_, 0); }

  void on_timeout(TimePoint now);
  SteadyTime next_deadline() const {
    return std::min({deadlines_.next(), paused_.next(), farewells_.next_deadline(), listen_again_at_});
  }

  const TcpRelayCounters& counters() const { return counters_; }
  // Adds what data connections of clients have carried, by their transport.
  void add_traffic_to(turn::Breakdown& breakdown) const;

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
    bool ended = false;         // it has closed its side
    turn::StreamShaper shaper;
    SteadyTime resume_at;  // when it is read again, after more has come from it than may pass
  };
  struct Joined {
    Joined(net::Stream client, net::Stream peer) : ends{End(std::move(client)), End(std::move(peer))} {}
    End& at(Side side) { return ends[static_cast<std::size_t>(side)]; }

    turn::SharedBudgets budgets;           // outlive the ends, which may wait for them
    Transport transport = Transport::tcp;  // of the client
    End ends[2];
    SteadyTime deadline;  // the time to send what still waits, after one end has closed
  };
  struct Bound {
    ConnectionId id{};
    net::Fd peer;
    FiveTuple client;
    turn::SharedBudgets budgets;
  };

  void begin(ConnectionId id, Result<net::Fd> socket);
  void refuse_peer(RelayEvent listener, TimePoint now);
  void listen_again();
  void add(Bound bound, net::Stream client, TimePoint now);
  // Returns false when the two connections have to be closed.
  bool pass_on(ConnectionId id, Joined& joined, Side from, std::uint32_t events, TimePoint now);
  bool forward(Joined& joined, Side from, TimePoint now);
  void count(Transport transport, Side from, std::size_t size);
  bool pause(ConnectionId id, Joined& joined, Side from, TimePoint now);
  turn::StreamLimits limits_from(const Joined& joined, Side from) const;
  void charge(Joined& joined, Side from, const turn::StreamLimits& limits, std::size_t size, TimePoint now);
  void resume(ConnectionId id, Side side, TimePoint now);
  void watch_both(ConnectionId id, Joined& joined);
  template <class Act>
  void close_if_out_of_memory(ConnectionId id, Act&& act);
  void close_gracefully(ConnectionId id, Joined& joined, TimePoint now);
  void close_and_report(ConnectionId id);

  net::Epoll& epoll_;
  const unsigned worker_;
  const RelaySockets& relays_;
  crypto::Random& random_;
  const Shared shared_;
  // Octets between clients and this server.
  struct ClientOctets {
    Counter received;
    Counter sent;
  };

  TcpRelayCounters counters_;
  std::array<ClientOctets, kTransports.size()> client_octets_;
  boost::unordered_flat_map<ConnectionId, net::Fd>
      sockets_;               // that are being connected, or were just accepted
  std::vector<Bound> bound_;  // in this pass; without a peer when the allocation has ended since
  boost::unordered_flat_map<ConnectionId, std::unique_ptr<Joined>> joined_;
  Deadlines<ConnectionId> deadlines_;
  Deadlines<std::pair<ConnectionId, Side>> paused_;
  Farewells farewells_{epoll_};
  std::vector<RelayEvent> paused_listeners_;
  SteadyTime listen_again_at_ = SteadyTime::max();
  turn::Limits limits_;
  std::uint32_t limits_reached_ = 0;
  std::vector<ConnectionId> failed_;
  std::vector<ConnectionId> closed_;
  std::unique_ptr<net::StreamBuffers> buffers_;  // from the first data connection on
  // A reserve: it is closed for a moment to accept and refuse a connection when there are no descriptors
  net::Fd spare_;
};

}  // namespace turnpike::relay
