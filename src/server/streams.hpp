// One worker's clients by TCP and TLS: its listening sockets, the connections that they gave, and which of
// them stay. They wait in the worker's epoll set and are served by its thread, TLS handshakes included: a
// handshake costs what hundreds of relayed packets do, so a flood of new ones is felt by that worker's calls.
#pragma once

#include <sys/epoll.h>

#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "config/config.hpp"
#include "net/stream.hpp"
#include "net/tls_context.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::server {

struct StreamListener {
  net::Fd socket;
  Endpoint endpoint;  // an unspecified address for a wildcard listener
  Transport transport = Transport::tcp;
};

// How many connections without an allocation each source address has, at all workers together. Thread-safe.
class IdleConnections {
 public:
  explicit IdleConnections(std::uint32_t most_per_address) : most_(most_per_address) {}  // 0 = no limit

  // An IPv6 /64 counts as one address.
  bool take(const IpAddress& source);
  // Counted even beyond the limit: it is there already.
  void add(const IpAddress& source);
  void give_back(const IpAddress& source);

 private:
  const std::uint32_t most_;
  std::mutex mutex_;
  std::map<IpAddress, std::uint32_t> counts_;  // ordered, since strangers choose the addresses
};

class Streams {
 public:
  struct Counters {
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;    // the address had enough of them
    std::uint64_t timed_out = 0;  // no handshake, no message or no allocation in time
    std::uint64_t out_of_descriptors = 0;
  };

  // What all workers share; outlives them.
  struct Shared {
    const net::TlsContext* tls;  // may be null where no listener is tls
    IdleConnections& idle;
    config::StreamLimits limits;
  };

  // Throws std::system_error.
  Streams(int epoll, std::vector<StreamListener> listeners, const Shared& shared);
  ~Streams();

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
  bool can_receive() const { return buffers_.has_free_slot(); }
  void release_received() { buffers_.reset(); }

  // --- What the server wants sent: all that one pass has for a connection goes out together
  void add(const turn::Output::ToClient& message, Bytes head);
  void send();

  // Connections with an allocation live as long as that does.
  void follow(std::span<const turn::Output::Event> events, TimePoint now);

  // Connections that have ended. Nothing more comes from them; answers to what came before still go out.
  const std::vector<FiveTuple>& ended() const { return ended_; }
  void remove_ended();

  void on_timeout(TimePoint now);
  // SteadyTime::max() when nothing is waited for.
  SteadyTime next_deadline() const;

  std::size_t connections() const { return by_deadline_.size(); }
  const Counters& counters() const { return counters_; }
  const net::StreamCounters& stream_counters() const { return buffers_.counters; }

 private:
  static constexpr std::uint64_t kListenerBit = std::uint64_t{1} << 61;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Connection : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
    Connection(net::Fd fd, const net::TlsContext* tls) : stream(std::move(fd), tls) {}

    net::Stream stream;
    FiveTuple tuple;
    SteadyTime deadline;      // SteadyTime::max() with an allocation
    SteadyTime looked_at_by;  // its place in the queue, never after `deadline`
    bool was_established = false;
    bool has_allocation = false;
    bool has_ended = false;
    bool watches_output = false;
    // What this pass has for it, in outgoing_.
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };
  struct Slot {
    std::unique_ptr<Connection> connection;
    std::uint32_t generation = 0;
  };
  struct Outgoing {
    net::StreamMessage message;
    std::uint32_t next = kNone;
  };

  bool accept_one(const StreamListener& listener, TimePoint now);
  void open(const StreamListener& listener, net::Fd fd, const Endpoint& from, TimePoint now);
  bool watch(int fd, std::uint64_t tag, int operation, std::uint32_t events);
  void pause_listeners(TimePoint now);
  void resume_listeners();

  Connection* find(std::uint64_t number);       // that has not ended
  Connection* find_last(std::uint64_t number);  // even if it has
  std::uint32_t free_slot();
  void end(Connection& connection);
  void live_until(Connection& connection, SteadyTime deadline);
  void watch_output(Connection& connection);

  int epoll_;
  std::vector<StreamListener> listeners_;
  const Shared shared_;
  Counters counters_;
  net::StreamBuffers buffers_;

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  struct ByDeadline {
    bool operator()(const Connection& a, const Connection& b) const {
      return a.looked_at_by < b.looked_at_by;
    }
  };
  boost::intrusive::multiset<Connection, boost::intrusive::compare<ByDeadline>> by_deadline_;
  std::optional<SteadyTime> paused_until_;

  std::vector<Bytes> messages_;
  std::vector<Outgoing> outgoing_;
  std::vector<Connection*> with_output_;
  std::vector<net::StreamMessage> together_;
  std::vector<FiveTuple> ended_;
};

}  // namespace turnpike::server
