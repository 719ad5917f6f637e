#include "relay/tcp_relays.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "relay/attempt.hpp"

namespace turnpike::relay {
namespace {

// How long a new connection to a peer waits until the peer has closed its side of a former one. After that
// the former one is reset, when the peer has acknowledged what was sent.
constexpr Duration kPatience = std::chrono::milliseconds(500);
constexpr Duration kFirstPause = std::chrono::milliseconds(10);  // between two tries; it grows

}  // namespace

TcpRelays::TcpRelays(net::Epoll& epoll, unsigned worker, const RelaySockets& relays, crypto::Random& random,
                     const Shared& shared)
    : epoll_(epoll),
      worker_(worker),
      relays_(relays),
      random_(random),
      shared_(shared),
      acceptor_(epoll, relays, counters_),
      data_(epoll, random, {shared.server_budgets, shared.table.leaving()}, counters_, *this) {}

// --- Connections that are not bound yet

std::optional<turn::ConnectionId> TcpRelays::connect(turn::RelayId relay, const Endpoint& to) {
  const net::ConnectionEnds ends{relays_.local_of(relay), to};
  Result<net::Fd> socket = net::connect_tcp(ends.local, ends.remote);
  if (!socket && net::is_exhaustion(socket.error().value())) {
    ++counters_.out_of_descriptors;
    return std::nullopt;
  }
  const ConnectionId id = shared_.table.add(worker_, random_);
  try {
    if (!socket && net::is_still_there(socket.error().value())) {
      delay(id, ends);
    } else {
      begin(id, std::move(socket));
    }
  } catch (...) {
    stop_trying(id);
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

void TcpRelays::delay(ConnectionId id, const net::ConnectionEnds& ends) {
  Delayed& delayed = delayed_.insert_or_assign(id, Delayed{ends, {}, {}}).first->second;
  retries_.set(id, delayed.next, SteadyTime{});
}

// The former connection may be in the Farewells of any worker. One that the peer has closed before may be
// there for a moment too, until its end is acknowledged.
void TcpRelays::try_again(ConnectionId id, TimePoint now) {
  Delayed& delayed = delayed_.at(id);
  if (delayed.since == SteadyTime{}) delayed.since = now.steady;
  const Duration waited = now.steady - delayed.since;
  const bool is_patient = waited < kPatience;
  if (shared_.table.leaving().make_room(delayed.ends, !is_patient)) {
    Result<net::Fd> socket = net::connect_tcp(delayed.ends.local, delayed.ends.remote);
    const bool still_there = !socket && net::is_still_there(socket.error().value());
    if (!still_there || !is_patient) {
      if (!socket && net::is_exhaustion(socket.error().value())) ++counters_.out_of_descriptors;
      begin(id, std::move(socket));
      return stop_trying(id);  // not before: when memory runs out, it is tried again
    }
  }
  Duration pause = std::max(waited, kFirstPause);
  if (is_patient) pause = std::min(pause, kPatience - waited);
  retries_.set(id, delayed.next, now.steady + pause);
}

void TcpRelays::stop_trying(ConnectionId id) {
  const auto found = delayed_.find(id);
  if (found == delayed_.end()) return;
  retries_.clear(id, found->second.next);
  delayed_.erase(found);
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
  stop_trying(id);
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
  while (retries_.next() <= now.steady) try_again(retries_.first(), now);
}

}  // namespace turnpike::relay
