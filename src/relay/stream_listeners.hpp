// The listening sockets of one worker for clients by TCP and TLS. When there is no descriptor for another
// connection, this class pauses them all, since a connection that cannot be accepted keeps a listener
// readable and the worker would do nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "net/accepted_connection.hpp"
#include "net/epoll.hpp"
#include "net/fd.hpp"
#include "net/tcp_socket.hpp"
#include "relay/counters.hpp"
#include "relay/web_server.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::relay {

struct StreamListener {
  net::Fd socket;
  Endpoint endpoint;  // an unspecified address for a wildcard listener
  // tcp or tls; nothing for auto://, where each connection shows its protocol, which may also be HTTP.
  std::optional<Transport> transport = Transport::tcp;
  // The load balancers in front of this listener. When there are any, no other source may connect.
  std::vector<Prefix> balancers{};
  net::ToHttps to_https = net::ToHttps::no;  // only for auto://
  std::optional<WebServer> web{};  // only for auto://: takes connections that ask for other names than ours
};

class StreamListeners {
 public:
  // All references must outlive this object. Throws std::system_error.
  StreamListeners(net::Epoll& epoll, std::vector<StreamListener> listeners, ConnectionCounters& counters);

  // The elements stay where they are.
  const StreamListener& at(std::uint64_t index) const { return listeners_[index]; }

  // Accepts a connection. `accepted` is empty when there was none, or when it failed. The caller stops when
  // `goes_on` is false: then nobody waits, or there is no descriptor.
  struct Outcome {
    std::optional<net::Accepted> accepted;
    bool goes_on = true;
  };
  Outcome accept(const StreamListener& listener, TimePoint now);

  // Resumes what was paused long enough.
  void on_timeout(TimePoint now);
  SteadyTime next_deadline() const { return paused_until_.value_or(SteadyTime::max()); }

 private:
  void watch(std::uint32_t events);

  net::Epoll& epoll_;
  const std::vector<StreamListener> listeners_;
  ConnectionCounters& counters_;
  std::optional<SteadyTime> paused_until_;
};

}  // namespace turnpike::relay
