// One worker's clients by TCP and TLS: its listening sockets, the connections that they gave, and which of
// them stay. They wait in the worker's epoll set and are served by its thread. A TLS handshake costs what
// hundreds of relayed packets do, so those in one wait in a set of their own inside of the worker's, of which
// each pass takes one step: however many come at once, a call waits for one of them.
#pragma once

#include <sys/epoll.h>

#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "net/accepted_connection.hpp"
#include "net/stream.hpp"
#include "net/tls_context.hpp"
#include "relay/counters.hpp"
#include "relay/idle_connections.hpp"
#include "relay/protocol_detector.hpp"
#include "relay/slot_map.hpp"
#include "relay/stream_limits.hpp"
#include "relay/web_server.hpp"
#include "turnpike/base/address_limiter.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/client_policy.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

struct StreamListener {
  net::Fd socket;
  Endpoint endpoint;  // an unspecified address for a wildcard listener
  // tcp or tls; nothing where each connection tells, HTTP among them.
  std::optional<Transport> transport = Transport::tcp;
  // The load balancers in front. Where there are any, nobody else may come.
  std::vector<Prefix> balancers{};
  bool plain_http_to_https = false;  // where each connection tells
  std::optional<WebServer> web{};    // likewise: where connections go that ask for other names than ours
};

// Where connections go that speak HTTP; called on the threads of all workers. Empty where there is no page.
using HttpHandOver = std::function<void(net::Fd, net::AcceptedConnection)>;

class Streams {
 public:
  // What all workers share; outlives them.
  struct Shared {
    const net::CurrentTls* tls;  // may be null where no listener is tls
    IdleConnections& idle;
    AddressLimiter& handshakes;  // that one source may begin in a second
    HttpHandOver http{};
    // Neither is empty where a listener has a web server behind it.
    WebHandOver web{};
    IsOurs is_ours{};
  };

  // Throws std::system_error.
  Streams(int epoll, std::vector<StreamListener> listeners, const Shared& shared, const StreamLimits& limits);
  ~Streams();

  // From now on these hold; deadlines that run already stay as they are.
  // `clients` may be null, and lives until others are to be used.
  void use(const StreamLimits& limits, const turn::ClientPolicy* clients) {
    limits_ = limits;
    clients_ = clients;
  }

  // --- What the epoll set reports: listeners by their index, connections by their number, which fits in
  // 62 bits
  static bool is_listener(std::uint64_t tag) { return (tag & kListenerBit) != 0; }
  void on_listener(std::uint64_t tag, TimePoint now);
  struct Received {
    FiveTuple tuple;
    std::span<const Bytes> messages;  // until the next call; what they view until release_received()
  };
  // Only when can_receive().
  Received on_event(std::uint64_t connection, std::uint32_t events, TimePoint now);
  // There is no memory for what the last on_event() was about: that connection ends.
  void give_up();
  bool can_receive() const { return buffers_.has_free_slot(); }
  void release_received() { buffers_.reset(); }

  // --- What the server wants sent: all that one pass has for a connection goes out together
  void add(const turn::Output::ToClient& message, Bytes head);
  // What a client can do without: data, and what ICMP said of it.
  static bool is_media(Bytes head);
  void send();

  // Connections with an allocation, here or at another worker, live as long as that does.
  void set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now);

  // Gives a connection away, which is no longer one of a client's messages (RFC 6062). Its descriptor stays
  // in the epoll set. Nothing when it has ended.
  std::optional<net::Stream> release(const FiveTuple& tuple);

  // Connections that have ended. Nothing more comes from them; answers to what came before still go out.
  const std::vector<FiveTuple>& ended() const { return ended_; }
  void remove_ended();

  void on_timeout(TimePoint now);
  // SteadyTime::max() when nothing is waited for.
  SteadyTime next_deadline() const;

  std::size_t connections() const { return by_deadline_.size(); }
  const ConnectionCounters& counters() const { return counters_; }
  const net::StreamCounters& stream_counters() const { return buffers_.counters; }

 private:
  static constexpr std::uint64_t kListenerBit = std::uint64_t{1} << 61;
  static constexpr std::uint64_t kHandshakes = kListenerBit - 1;  // a slot that there never is
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Connection : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
    explicit Connection(net::Fd fd) : stream(std::move(fd), nullptr) {}

    net::Stream stream;
    std::unique_ptr<ProtocolDetector> detector;  // until it is clear what it is
    const StreamListener* listener = nullptr;
    FiveTuple tuple;
    SteadyTime deadline;      // SteadyTime::max() with an allocation
    SteadyTime looked_at_by;  // its place in the queue, never after `deadline`
    bool was_established = false;
    bool has_allocation = false;
    bool is_counted = false;  // among the idle ones of its address
    bool has_ended = false;
    bool watches_output = false;
    bool in_handshake = false;
    // What this pass has for it, in outgoing_.
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };
  struct Outgoing {
    net::StreamMessage message;
    std::uint32_t next = kNone;
  };

  bool admit(const IpAddress& client);
  bool accept_one(const StreamListener& listener, TimePoint now);
  void open(const StreamListener& listener, net::Fd fd, const Endpoint& from, TimePoint now);
  Connection* make(const StreamListener& listener, net::Fd fd, const Endpoint& from);
  bool watch(int fd, std::uint64_t tag, int operation, std::uint32_t events);
  bool watch(const Connection& connection, int operation, std::uint32_t events);
  bool move_to_handshakes(Connection& connection, bool in_handshake);
  bool take_handshake(std::uint64_t& number, std::uint32_t& events) const;
  void pause_listeners(TimePoint now);
  void resume_listeners();

  Connection* find(std::uint64_t number);         // that has not ended
  Connection* find_last(const FiveTuple& tuple);  // even if it has; a number may be another worker's
  void end(Connection& connection);
  // False when there is no more to do with it for now.
  bool greet(Connection& connection, std::uint32_t events, TimePoint now);
  // False when it cannot be: it has to end then.
  [[nodiscard]] bool start_tls(Connection& connection, TimePoint now);
  void hand_over_http(Connection& connection);
  void hand_over_to_web(Connection& connection);
  void free(Connection& connection);
  void live_until(Connection& connection, SteadyTime deadline);
  void watch_output(Connection& connection);
  net::Stream::State send_to(Connection& connection);

  int epoll_;
  net::Fd handshakes_;  // the set inside of it
  std::vector<StreamListener> listeners_;
  const Shared shared_;
  StreamLimits limits_;
  const turn::ClientPolicy* clients_ = nullptr;
  ConnectionCounters counters_;
  net::StreamBuffers buffers_;

  SlotMap<Connection> connections_;
  struct ByDeadline {
    bool operator()(const Connection& a, const Connection& b) const {
      return a.looked_at_by < b.looked_at_by;
    }
  };
  boost::intrusive::multiset<Connection, boost::intrusive::compare<ByDeadline>> by_deadline_;
  std::optional<SteadyTime> paused_until_;

  std::uint64_t in_hand_ = 0;  // what the last on_event() was about
  std::vector<Bytes> messages_;
  std::vector<Outgoing> outgoing_;
  std::vector<Connection*> with_output_;
  std::vector<net::StreamMessage> together_;
  std::vector<FiveTuple> ended_;
};

}  // namespace turnpike::relay
