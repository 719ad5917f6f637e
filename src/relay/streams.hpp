// The TCP and TLS clients of one worker: the accepted connections, and how long each of them stays. The
// thread of the worker serves them. StreamStart decides how each begins, and StreamSets in which epoll set it
// waits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/epoll.hpp"
#include "net/fd.hpp"
#include "net/stream.hpp"
#include "net/tcp_socket.hpp"
#include "relay/client_book.hpp"
#include "relay/client_transport.hpp"
#include "relay/counters.hpp"
#include "relay/event_tag.hpp"
#include "relay/stream_connection.hpp"
#include "relay/stream_limits.hpp"
#include "relay/stream_listeners.hpp"
#include "relay/stream_output.hpp"
#include "relay/stream_sets.hpp"
#include "relay/stream_start.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

class Streams final : public ClientTransport {
 public:
  using Shared = StreamStart::Shared;

  // `epoll` is the worker's set, and outlives this. Throws std::system_error.
  Streams(net::Epoll& epoll, std::vector<StreamListener> listeners, const Shared& shared,
          const StreamLimits& limits);

  void use(const Settings& settings) override;

  // --- What the epoll set reports: EventKind::stream_listener, connection and handshakes
  void on_listener(std::uint64_t index, TimePoint now);
  struct Received {
    FiveTuple tuple;
    std::span<const Bytes> messages;  // until the next call; what they view until release_received()
  };
  // Only when can_receive().
  Received on_event(EventTag tag, std::uint32_t events, TimePoint now);
  // Call this when there was no memory in on_event(): ends the connection that the event was about.
  void give_up();
  bool can_receive() const { return buffers_.has_free_slot(); }
  void release_received() override { buffers_.reset(); }

  // Messages for one connection are sent together at the end of the pass.
  void add(const turn::Output::ToClient& message, Bytes head) override;
  // Whether a message may be dropped: relayed data, or an ICMP report about it. `head` is the beginning of
  // the message.
  static bool is_media(Bytes head);
  void send() override;

  void set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now) override;

  // Gives away a connection that becomes a data connection (RFC 6062). Its descriptor stays in the epoll set.
  // Returns nothing when it has ended.
  std::optional<net::Stream> release(const FiveTuple& tuple);

  std::span<const FiveTuple> ended() const override { return book_.ended(); }
  void remove_ended() override;

  void on_timeout(TimePoint now) override;
  SteadyTime next_deadline() const override;

  std::size_t connections() const { return book_.size(); }
  const ConnectionCounters& counters() const { return counters_; }
  void add_counters_to(Totals& totals) const override;
  std::uint64_t out_of_memory() const override { return counters_.out_of_memory; }

 private:
  using Connection = StreamConnection;

  void on_accepted(const StreamListener& listener, net::Accepted accepted, TimePoint now);
  void open(const StreamListener& listener, net::Fd fd, const Endpoint& from, TimePoint now);
  Connection* make(const StreamListener& listener, net::Fd fd, const Endpoint& from);
  net::Stream::State transfer(Connection& connection, std::uint32_t events);
  void set_deadline(Connection& connection, SteadyTime deadline);

  const Shared shared_;
  StreamLimits limits_;
  ConnectionCounters counters_;
  net::StreamBuffers buffers_;

  StreamListeners listeners_;  // outlive the connections, which refer to them
  StreamSets sets_;
  ClientBook<Connection> book_;
  StreamStart start_;
  PathId in_hand_{};  // the number of the connection of the last on_event()
  std::vector<Bytes> messages_;
  StreamOutput<Connection> output_;
};

}  // namespace turnpike::relay
