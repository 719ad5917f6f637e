#include "relay/tcp_relays.hpp"

#include <sys/epoll.h>

#include <utility>

#include "net/tcp_socket.hpp"
#include "relay/attempt.hpp"

namespace turnpike::relay {

TcpRelays::TcpRelays(net::Epoll& epoll, unsigned worker, const RelaySockets& relays, crypto::Random& random,
                     const Shared& shared)
    : epoll_(epoll),
      worker_(worker),
      relays_(relays),
      random_(random),
      shared_(shared),
      acceptor_(epoll, relays, counters_),
      data_(epoll, random, shared.server_budgets, counters_, *this) {}

// --- Connections that are not bound yet

std::optional<turn::ConnectionId> TcpRelays::connect(turn::RelayId relay, const Endpoint& to) {
  Result<net::Fd> socket = net::connect_tcp(relays_.local_of(relay), to);
  if (!socket && net::is_exhaustion(socket.error().value())) {
    ++counters_.out_of_descriptors;
    return std::nullopt;
  }
  const ConnectionId id = shared_.table.add(worker_, random_);
  try {
    begin(id, std::move(socket));
  } catch (...) {
    shared_.table.close(id);
    throw;
  }
  return id;
}

void TcpRelays::begin(ConnectionId id, Result<net::Fd> socket) {
  const EventTag tag = PeerConnectionEvent{.id = id, .connecting = true}.tag();
  if (socket && epoll_.add(socket->get(), tag.pack(), EPOLLOUT)) {
    sockets_.insert_or_assign(id, std::move(*socket));
  } else {
    failed_.push_back(id);
  }
}

std::optional<TcpRelays::Accepted> TcpRelays::accept(RelayEvent listener, TimePoint now) {
  std::optional<net::Accepted> accepted = acceptor_.accept(listener, now);
  if (!accepted) return std::nullopt;
  const ConnectionId id = shared_.table.add(worker_, random_);
  try {
    sockets_.insert_or_assign(id, std::move(accepted->fd));
  } catch (...) {
    shared_.table.close(id);
    throw;
  }
  return Accepted{id, accepted->from};
}

void TcpRelays::offer(ConnectionId id, const auth::Identity& client, turn::SharedBudgets budgets) {
  const auto found = sockets_.find(id);
  shared_.table.offer(id, client, std::move(budgets), std::move(found->second));
  sockets_.erase(found);
}

std::optional<auth::Identity> TcpRelays::awaited_by(ConnectionId id) { return shared_.table.awaited_by(id); }

bool TcpRelays::bind(ConnectionId id, const auth::Identity& identity, const FiveTuple& client) {
  bound_.emplace_back();  // this throws, if at all, while the connection is still in the table
  std::optional<PeerConnectionTable::Waiting> waiting = shared_.table.bind(id, identity, worker_);
  if (!waiting) {
    bound_.pop_back();
    return false;
  }
  bound_.back() = {id, std::move(waiting->peer), client, std::move(waiting->budgets)};
  return true;
}

bool TcpRelays::close_unbound(ConnectionId id) {
  if (!shared_.table.close_unbound(id)) return false;
  sockets_.erase(id);
  return true;
}

void TcpRelays::close(ConnectionId id) {
  sockets_.erase(id);
  const std::optional<unsigned> bound_by = shared_.table.close(id);
  if (!bound_by) return;
  if (*bound_by == worker_) return close_data_connection(id);
  shared_.mailboxes[*bound_by].post(CloseDataConnection{id});
}

// --- Bound connections

void TcpRelays::join(Streams& streams, TimePoint now) {
  for (Bound& bound : std::exchange(bound_, {})) {
    const bool had_memory = attempt(counters_.out_of_memory, [&] {
      std::optional<net::Stream> client = streams.release(bound.client);
      if (!client || !bound.peer) return data_.end(bound.id);
      data_.add({bound.id, std::move(*client), bound.client.transport, std::move(bound.peer),
                 std::move(bound.budgets)},
                now);
    });
    // A connection that loses some of its octets is worse than none.
    if (!had_memory) data_.end(bound.id);
  }
}

std::optional<TcpRelays::Connected> TcpRelays::on_event(PeerConnectionEvent event, std::uint32_t events,
                                                        TimePoint now) {
  const ConnectionId id = event.id;
  if (event.connecting) {
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) return std::nullopt;
    const int fd = found->second.get();
    epoll_.remove(fd);  // until it is bound
    const bool connected = !net::connection_error(fd);
    return Connected{id, connected};
  }
  data_.on_event(event, events, now);
  return std::nullopt;
}

void TcpRelays::close_data_connection(ConnectionId id) {
  for (Bound& bound : bound_) {
    if (bound.id == id) bound.peer = net::Fd();  // join() then ends the client's connection
  }
  data_.remove(id);
}

void TcpRelays::on_ended(ConnectionId id) {
  const std::optional<unsigned> worker = shared_.table.remove_ended(id);
  if (!worker) return;
  if (*worker == worker_) {
    closed_.push_back(id);
  } else {
    shared_.mailboxes[*worker].post(PeerClosed{id});
  }
}

void TcpRelays::on_timeout(TimePoint now) {
  data_.on_timeout(now);
  acceptor_.on_timeout(now);
}

}  // namespace turnpike::relay
