// The start of a TCP or TLS connection, until it is known who serves its client: whether the client is
// admitted, which protocol it speaks, and the beginning of TLS. Connections that speak HTTP, and those for a
// web server, are handed over to other threads; the rest stay with Streams.
#pragma once

#include <functional>

#include "net/accepted_connection.hpp"
#include "net/fd.hpp"
#include "net/stream.hpp"
#include "net/tls_context.hpp"
#include "relay/client_book.hpp"
#include "relay/counters.hpp"
#include "relay/idle_connections.hpp"
#include "relay/stream_connection.hpp"
#include "relay/stream_sets.hpp"
#include "relay/web_server.hpp"
#include "turnpike/base/address_limiter.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/client_policy.hpp"

namespace turnpike::relay {

// Takes over connections that speak HTTP. It is called on the threads of all workers. Empty when no page is
// served.
using HttpHandOver = std::function<void(net::Fd, net::AcceptedConnection)>;

class StreamStart {
 public:
  // All workers share these. They must outlive the workers.
  struct Shared {
    const net::CurrentTls* tls;  // may be null when no listener is tls
    IdleConnections& idle;
    AddressLimiter& handshakes;  // that one source may begin in a second
    HttpHandOver http{};
    // Neither is empty when a listener has a web server behind it.
    WebHandOver web{};
    IsOurs is_ours{};
  };

  // The parts of Streams that it uses.
  struct Parts {
    StreamSets& sets;
    ClientBook<StreamConnection>& book;
    net::StreamBuffers& buffers;
    ConnectionCounters& counters;
  };

  // All references must outlive this object.
  StreamStart(const Shared& shared, const Parts& parts) : shared_(shared), parts_(parts) {}

  // Null when all clients may come; otherwise it must live until the next call of this function.
  void use(const turn::ClientPolicy* clients) { clients_ = clients; }

  // Returns whether the client's address is admitted and has a place among the connections without an
  // allocation.
  bool admit(const IpAddress& client);
  // Writes into a new connection where it comes from, and begins to detect its protocol if it is not known.
  // Throws std::bad_alloc.
  void prepare(StreamConnection& connection, const StreamListener& listener, const FiveTuple& tuple) const;
  // Handles a connection whose protocol is not known yet. Returns false when nothing more can be done now.
  bool detect_protocol(StreamConnection& connection, bool at_end, TimePoint now);
  // Returns false when TLS cannot begin; the caller then ends the connection.
  [[nodiscard]] bool start_tls(StreamConnection& connection, TimePoint now);
  // The connection ends here in any case; the HTTP thread continues to serve the client.
  void hand_over_http(StreamConnection& connection);

 private:
  void hand_over_to_web(StreamConnection& connection);

  const Shared& shared_;
  const Parts parts_;
  const turn::ClientPolicy* clients_ = nullptr;
};

}  // namespace turnpike::relay
