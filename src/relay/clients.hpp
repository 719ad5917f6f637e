// All clients of one worker, with all transports. This class receives their messages and passes them to the
// worker. For sending, and for how long clients stay, it calls each transport of its list.
#pragma once

#include <cstdint>
#include <vector>

#include "net/datagrams.hpp"
#include "net/epoll.hpp"
#include "relay/associations.hpp"
#include "relay/attempt.hpp"
#include "relay/client_transport.hpp"
#include "relay/event_tag.hpp"
#include "relay/listener_socket.hpp"
#include "relay/settings.hpp"
#include "relay/streams.hpp"
#include "relay/udp_clients.hpp"

namespace turnpike::relay {

// All sockets of one worker that clients come to.
struct WorkerListeners {
  std::vector<ListenerSocket> datagrams;
  std::vector<StreamListener> streams;
};

class Clients {
 public:
  // All workers share these. They must outlive the workers.
  struct Shared {
    Streams::Shared streams;
    Associations::Shared associations;
  };

  // All references outlive this. Throws std::system_error.
  Clients(net::Epoll& epoll, WorkerListeners listeners, const Shared& shared, const Settings& settings,
          crypto::Random& random, net::SendCounters& sends);

  // Whether only one worker can send to the client, because that worker has the connection, the association,
  // or the flow of a load balancer. All workers can send to other clients.
  static bool has_connection(const FiveTuple& tuple) {
    return tuple.transport != Transport::udp || ProxiedClients::is_proxied(tuple.path);
  }

  // Receives what an event of a listener or a connection is about. The host is the worker:
  //   on_client(tuple, message, now)      a message; it stays valid until release_received()
  //   on_client_closed(tuple, now)        a client was removed, since another one needed its place
  //   flush(now)                          makes room when no more can be received
  // It is a template since this is called for every datagram. A message that needs memory when there is none
  // is lost.
  template <class Host>
  void on_event(EventTag tag, std::uint32_t events, TimePoint now, net::ReceivePool& pool, Host& host);

  // --- See ClientTransport
  void add(const turn::Output::ToClient& message, Bytes head) {
    if (message.tuple.transport == Transport::udp) return udp_.add(message, head);  // no virtual call
    of(message.tuple.transport).add(message, head);
  }
  void send();
  void set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now) {
    of(tuple.transport).set_allocation(tuple, has_allocation, now);
  }
  // A TCP, TLS or DTLS connection stays open while its client has an allocation.
  void follow_allocations(const std::vector<turn::Output::Lifetime>& lifetimes, TimePoint now);
  // Calls `visit` with the 5-tuple of each client that has ended, and removes the client.
  template <class Visitor>
  void remove_ended(Visitor&& visit) {
    for (ClientTransport* transport : all_) {
      for (const FiveTuple& tuple : transport->ended()) visit(tuple);
      transport->remove_ended();
    }
  }
  void release_received();
  void on_timeout(TimePoint now);
  SteadyTime next_deadline() const;
  void use(const Settings& settings);
  void add_counters_to(Totals& totals) const;
  std::uint64_t out_of_memory() const;

  // The TCP and TLS connections, from which data connections are taken (RFC 6062).
  Streams& streams() { return streams_; }

 private:
  // With less room than this for datagrams, what has come is handled to its end first, which makes room.
  static constexpr std::size_t kLeastRoom = 128;

  ClientTransport& of(Transport transport) {
    switch (transport) {
      case Transport::udp: return udp_;
      case Transport::tcp:
      case Transport::tls: return streams_;
      case Transport::dtls: return associations_;
    }
    return udp_;
  }
  // Each object that serves a transport, once.
  std::vector<ClientTransport*> list_all();
  bool is_dtls(const ListenerSocket& listener, Bytes datagram) const;

  template <class Host>
  void on_listener(std::uint32_t index, TimePoint now, net::ReceivePool& pool, Host& host);
  template <class Host>
  void on_balancer(std::uint32_t index, const net::ReceivedDatagram& datagram, TimePoint now, Host& host);
  template <class Host>
  void on_dtls(PathId path, const net::ReceivedDatagram& datagram, TimePoint now, Host& host);
  template <class Host>
  void on_stream(EventTag tag, std::uint32_t events, TimePoint now, Host& host);

  UdpClients udp_;
  Streams streams_;
  Associations associations_;
  const std::vector<ClientTransport*> all_ = list_all();
  Counter out_of_memory_;
};

template <class Host>
void Clients::on_event(EventTag tag, std::uint32_t events, TimePoint now, net::ReceivePool& pool,
                       Host& host) {
  switch (tag.kind) {
    case EventKind::datagram_listener:
      return on_listener(static_cast<std::uint32_t>(tag.number), now, pool, host);
    case EventKind::stream_listener: return streams_.on_listener(tag.number, now);
    default: return on_stream(tag, events, now, host);
  }
}

// The epoll set is level-triggered, so datagrams for which the pool has no room are reported again.
template <class Host>
void Clients::on_listener(std::uint32_t index, TimePoint now, net::ReceivePool& pool, Host& host) {
  const ListenerSocket& listener = udp_.listeners()[index];
  const PathId path = path_of_listener(index);
  if (pool.free_slots() < kLeastRoom) host.flush(now);
  const auto datagrams = pool.receive(listener.socket.get(), pool.free_slots());
  if (listener.is_behind_balancers()) {
    for (const net::ReceivedDatagram& datagram : datagrams) {
      attempt(out_of_memory_, [&] { on_balancer(index, datagram, now, host); });
    }
    return;
  }
  for (const net::ReceivedDatagram& datagram : datagrams) {
    if (is_dtls(listener, datagram.payload)) {
      attempt(out_of_memory_, [&] { on_dtls(path, datagram, now, host); });
    } else {
      host.on_client({datagram.from, listener.reached_by(datagram), listener.transport, path},
                     datagram.payload, now);
    }
  }
}

// From here on it is as if the client that the balancer speaks for had sent the rest of the datagram.
template <class Host>
void Clients::on_balancer(std::uint32_t index, const net::ReceivedDatagram& datagram, TimePoint now,
                          Host& host) {
  const ListenerSocket& listener = udp_.listeners()[index];
  const FiveTuple route{datagram.from, listener.reached_by(datagram), Transport::udp,
                        path_of_listener(index)};
  const auto arrival = udp_.proxied().receive(listener.balancers, route, datagram.payload, now.steady);
  if (!arrival) return;
  const std::size_t header = arrival->header_size;
  const net::ReceivedDatagram own{arrival->tuple.client, datagram.to, datagram.payload.subspan(header),
                                  datagram.slot.subspan(header)};
  if (is_dtls(listener, own.payload)) {
    on_dtls(arrival->tuple.path, own, now, host);
  } else {
    host.on_client(arrival->tuple, own.payload, now);
  }
}

template <class Host>
void Clients::on_dtls(PathId path, const net::ReceivedDatagram& datagram, TimePoint now, Host& host) {
  const Associations::Received received = associations_.receive(path, datagram, now);
  // The old client is closed first, so that the new one can get what the old one had.
  if (received.replaced) host.on_client_closed(*received.replaced, now);
  for (const Bytes message : received.messages) host.on_client(received.tuple, message, now);
}

template <class Host>
void Clients::on_stream(EventTag tag, std::uint32_t events, TimePoint now, Host& host) {
  if (!streams_.can_receive()) host.flush(now);
  Streams::Received received;
  if (!attempt(out_of_memory_, [&] { received = streams_.on_event(tag, events, now); }))
    return streams_.give_up();
  for (const Bytes message : received.messages) host.on_client(received.tuple, message, now);
}

}  // namespace turnpike::relay
