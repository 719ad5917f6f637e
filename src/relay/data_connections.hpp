// The data connections of one worker (RFC 6062): each is a connection with a client, joined with one with a
// peer. Octets that arrive on one side are sent on the other side unchanged. When a side does not accept its
// data, nothing is read from the other side. When more arrives than limits.bytes_per_second and the similar
// limits allow, nothing is read for a while. An end for which octets are lost is reset, so that it does not
// take what it has got for everything.
#pragma once

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <utility>

#include "net/epoll.hpp"
#include "net/stream.hpp"
#include "relay/counters.hpp"
#include "relay/event_tag.hpp"
#include "relay/farewells.hpp"
#include "relay/leaving_peers.hpp"
#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/stream_shaper.hpp"

namespace turnpike::relay {

class DataConnections {
 public:
  using ConnectionId = turn::ConnectionId;

  class Host {
   public:
    virtual ~Host() = default;
    // A connection has ended by itself and is not there any more.
    virtual void on_ended(ConnectionId id) = 0;
  };

  // What all workers share; outlives them.
  struct Shared {
    turn::ByteBudgets& server_budgets;
    LeavingPeers& leaving;
  };

  // All references must outlive this object.
  DataConnections(net::Epoll& epoll, crypto::Random& random, const Shared& shared, TcpRelayCounters& counters,
                  Host& host)
      : epoll_(epoll),
        random_(random),
        server_budgets_(shared.server_budgets),
        counters_(counters),
        host_(host),
        farewells_(epoll, shared.leaving) {}

  // Changes the limits.
  void use(const turn::Limits& limits) { limits_ = limits; }

  // The connection of a client, which is in the epoll set, and that of a peer, which is not.
  struct Pair {
    ConnectionId id{};
    net::Stream client;
    Transport transport = Transport::tcp;  // of the client
    net::Fd peer;
    turn::SharedBudgets budgets;
  };
  void add(Pair pair, TimePoint now);
  // What the epoll set reports about a connection that was added.
  void on_event(PeerConnectionEvent event, std::uint32_t events, TimePoint now);
  // Ends a connection without telling the host. Does nothing when it is not there.
  void remove(ConnectionId id);
  // Ends it, if it is there, and tells the host.
  void end(ConnectionId id);

  // The limits that have slowed down a connection since this was last called: a bit for each turn::LimitKey.
  std::uint32_t take_limits_reached() { return std::exchange(limits_reached_, 0); }

  void on_timeout(TimePoint now);
  SteadyTime next_deadline() const {
    return std::min({deadlines_.next(), paused_.next(), farewells_.next_deadline()});
  }
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
  // Octets between clients and this server.
  struct ClientOctets {
    Counter received;
    Counter sent;
  };

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
  void end_if_out_of_memory(ConnectionId id, Act&& act);
  void end_gracefully(ConnectionId id, Joined& joined, TimePoint now);

  net::Epoll& epoll_;
  crypto::Random& random_;
  turn::ByteBudgets& server_budgets_;
  TcpRelayCounters& counters_;
  Host& host_;
  std::array<ClientOctets, kTransports.size()> client_octets_;
  boost::unordered_flat_map<ConnectionId, std::unique_ptr<Joined>> joined_;
  Deadlines<ConnectionId> deadlines_;
  Deadlines<std::pair<ConnectionId, Side>> paused_;
  Farewells farewells_;
  turn::Limits limits_;
  std::uint32_t limits_reached_ = 0;
  std::unique_ptr<net::StreamBuffers> buffers_;  // from the first data connection on
};

}  // namespace turnpike::relay
