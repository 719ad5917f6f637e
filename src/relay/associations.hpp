// One worker's clients by DTLS: who is one at all, which association a datagram belongs to, and how long each
// stays. They share the worker's listener sockets, with clients by plain UDP too, and are told apart by their
// 5-tuples; before a client has sent its cookie back nothing is kept of it.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "net/datagrams.hpp"
#include "net/dtls.hpp"
#include "net/dtls_hello.hpp"
#include "net/tls_context.hpp"
#include "relay/counters.hpp"
#include "relay/idle_connections.hpp"
#include "relay/listener_socket.hpp"
#include "relay/proxied_clients.hpp"
#include "relay/slot_map.hpp"
#include "relay/stream_limits.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/turn/client_policy.hpp"
#include "turnpike/turn/limiters.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

class Associations {
 public:
  // What all workers share; outlives them.
  struct Shared {
    const net::CurrentTls* dtls;  // null where there is no certificate
    IdleConnections& idle;
    turn::Limiters& limiters;
  };

  // How datagrams come and go.
  struct Ways {
    const std::vector<ListenerSocket>& listeners;
    ProxiedClients& proxied;
  };

  // All references outlive this, the listeners with their sockets open.
  Associations(const Ways& ways, const Shared& shared, const StreamLimits& limits, crypto::Random& random,
               net::SendCounters& sends);
  // Says goodbye.
  ~Associations();
  Associations(const Associations&) = delete;
  Associations& operator=(const Associations&) = delete;

  // From now on these hold; deadlines that run already stay as they are.
  // `clients` may be null, and lives until others are to be used.
  void use(const StreamLimits& limits, const turn::ClientPolicy* clients) {
    limits_ = limits;
    clients_ = clients;
  }

  // Whether there is a certificate. Plain listeners then take DTLS as well.
  bool can_begin() const { return shared_.dtls != nullptr; }

  struct Received {
    FiveTuple tuple;
    std::span<const Bytes> messages;    // until the next call; what they view until release_received(), or in
                                        // the datagram's slot
    std::optional<FiveTuple> replaced;  // an association that has just given way to this one
  };
  // `connection` is that of a client by UDP: the number of the listener, and of the flow behind a balancer.
  Received receive(std::uint64_t connection, const net::ReceivedDatagram& datagram, TimePoint now);
  void release_received() { buffers_.release_received(); }

  // What the server wants sent. The payload has been read when add() returns.
  void add(const turn::Output::ToClient& message, Bytes head);
  void send();

  // Associations with an allocation, here or at another worker, live as long as that does.
  void set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now);

  // Associations that have ended. Nothing more comes from them; answers to what came before still go out.
  const std::vector<FiveTuple>& ended() const { return ended_; }
  void remove_ended();

  void on_timeout(TimePoint now);
  // SteadyTime::max() when nothing is waited for.
  SteadyTime next_deadline() const;

  const AssociationCounters& counters() const { return counters_; }
  const net::DtlsCounters& dtls_counters() const { return buffers_.counters; }
  // Datagrams to clients that found no room in the buffers.
  const Counter& lost() const { return buffers_.lost(); }

 private:
  // Of one worker. Beyond, the oldest makes room: it has had the most time.
  static constexpr std::size_t kMaxHandshakes = 1024;
  // Begun in one pass: a signature each, which costs what hundreds of relayed packets do. Whoever comes
  // beyond sends its hello again.
  static constexpr std::uint32_t kBegunPerPass = 4;
  // An association that has been quiet for this long gives its buffers back.
  static constexpr Duration kQuiet = std::chrono::seconds(4);

  struct Association : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>>,
                       boost::intrusive::list_base_hook<> {
    Association(const net::TlsContext& context, const net::DtlsHello& hello, net::DtlsBuffers& buffers)
        : dtls(context, hello, buffers) {}

    net::DtlsAssociation dtls;
    FiveTuple tuple;
    std::uint64_t came_by = 0;                     // the connection as receive() has it
    SteadyTime deadline;                           // SteadyTime::max() with an allocation
    SteadyTime retransmit_at = SteadyTime::max();  // of the handshake
    SteadyTime rest_at = SteadyTime::max();        // established, and not resting yet
    SteadyTime busy_until{};                       // it does not rest before
    SteadyTime looked_at_by;                       // its place in the queue, never after the others
    bool is_handshake = true;                      // until it is established, and in handshakes_
    bool has_allocation = false;
    bool has_ended = false;
  };
  // A 5-tuple's associations: a client that has started again on its port shakes hands while
  // the old one lives on, since only the end of a handshake tells that it was the same client.
  struct Place {
    Association* established = nullptr;
    Association* handshake = nullptr;
  };

  using State = net::DtlsAssociation::State;

  Association* choose(const FiveTuple& key, Bytes datagram);
  std::optional<FiveTuple> apply_state(Association& association, State state, TimePoint now);
  std::optional<FiveTuple> establish(Association& association, TimePoint now);

  Received on_hello(const FiveTuple& key, const net::DtlsHello& hello, Bytes datagram, TimePoint now);
  bool is_copy(const Place& place, const net::DtlsHello& hello) const;
  void answer_hello(const FiveTuple& key, const net::DtlsHello& hello, TimePoint now);
  Association* begin(const FiveTuple& key, const net::DtlsHello& hello, TimePoint now);
  Association* make(const FiveTuple& key, const net::DtlsHello& hello);

  void make_room();
  // Whatever DTLS has left in the buffers.
  void transmit(std::uint64_t came_by, const FiveTuple& tuple);

  // The 5-tuple with what it came by for a connection number: the same for all associations that it had.
  static FiveTuple key_of(const Association& association);
  // Even if it has ended; a number may be another worker's.
  Association* find_last(const FiveTuple& tuple);
  void end(Association& association);
  void look_in_time(Association& association);
  void stay_awake(Association& association);
  static void rest(Association& association, SteadyTime now);

  const Ways ways_;
  const Shared shared_;
  StreamLimits limits_;
  const turn::ClientPolicy* clients_ = nullptr;
  AssociationCounters counters_;
  crypto::Digester digester_;
  net::DtlsCookies cookies_;
  net::DtlsBuffers buffers_;
  net::SendBatch batch_;
  std::uint32_t begun_in_pass_ = 0;
  SteadyTime now_{};  // of the last call that was told the time

  boost::unordered_flat_map<FiveTuple, Place, KeyedHash> places_;
  SlotMap<Association> associations_;
  struct ByDeadline {
    bool operator()(const Association& a, const Association& b) const {
      return a.looked_at_by < b.looked_at_by;
    }
  };
  boost::intrusive::multiset<Association, boost::intrusive::compare<ByDeadline>> by_deadline_;
  boost::intrusive::list<Association> handshakes_;  // the oldest first

  std::vector<Bytes> messages_;
  std::vector<FiveTuple> ended_;
};

}  // namespace turnpike::relay
