// The epoll sets in which the TCP and TLS connections of one worker wait. A TLS handshake costs as much as
// hundreds of relayed packets. So connections in a handshake have their own epoll set, inside that of the
// worker, and each pass handles one of their events: even with many handshakes, relayed data waits for one
// step only. All other connections are in the set of the worker.
#pragma once

#include <cstdint>
#include <optional>

#include "net/epoll.hpp"
#include "relay/event_tag.hpp"
#include "relay/stream_connection.hpp"

namespace turnpike::relay {

class StreamSets {
 public:
  // `epoll` is the worker's set, and outlives this. Throws std::system_error.
  explicit StreamSets(net::Epoll& epoll);

  // Waits for what the client of a new connection sends. Returns false when the kernel refuses.
  bool add(const StreamConnection& connection);
  // Waits no longer. Returns false when the kernel refuses.
  bool remove(const StreamConnection& connection);
  // Moves the connection to the set of handshakes, or from there to that of the worker. When this returns
  // false, the connection is in neither of them.
  bool move_to_handshakes(StreamConnection& connection, bool in_handshake);
  // Waits for output as long as the stream has octets to send. A stream that holds octets needs an event in
  // the next pass as well, so it waits for output.
  void watch_output(StreamConnection& connection);

  struct Event {
    EventTag tag;
    std::uint32_t events = 0;
  };
  // Call this when the worker's set has reported the set of handshakes. Returns the event of the handshake
  // that has waited longest.
  std::optional<Event> next_handshake() const;

 private:
  // The set that the connection waits in.
  net::Epoll& set_of(const StreamConnection& connection) {
    return connection.in_handshake ? handshakes_ : epoll_;
  }

  net::Epoll& epoll_;
  net::Epoll handshakes_;  // the set inside of it
};

}  // namespace turnpike::relay
