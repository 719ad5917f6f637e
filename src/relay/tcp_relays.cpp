#include "relay/tcp_relays.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <utility>

#include "net/tcp_socket.hpp"
#include "relay/attempt.hpp"

namespace turnpike::relay {
namespace {

constexpr Duration kLastWords = std::chrono::seconds(30);  // the time for an end to accept what waits for it
constexpr Duration kDeafness{100};  // the pause when no descriptor is left even to refuse a peer

net::Fd open_spare() { return net::Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

TcpRelays::TcpRelays(net::Epoll& epoll, unsigned worker, const RelaySockets& relays, crypto::Random& random,
                     const Shared& shared)
    : epoll_(epoll),
      worker_(worker),
      relays_(relays),
      random_(random),
      shared_(shared),
      spare_(open_spare()) {}

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
  std::optional<net::Accepted> accepted = net::accept_tcp(listener.fd);
  if (!accepted) {
    if (net::is_exhaustion(errno)) refuse_peer(listener, now);
    return std::nullopt;
  }
  const ConnectionId id = shared_.table.add(worker_, random_);
  try {
    sockets_.insert_or_assign(id, std::move(accepted->fd));
  } catch (...) {
    shared_.table.close(id);
    throw;
  }
  return Accepted{id, accepted->from};
}

// A peer that is not accepted keeps the listener readable, so it is accepted and closed with the spare
// descriptor. This can fail: another thread may take the descriptor, or memory may be missing. Then the
// listener pauses.
void TcpRelays::refuse_peer(RelayEvent listener, TimePoint now) {
  ++counters_.out_of_descriptors;
  spare_ = net::Fd();
  const bool was_accepted = net::accept_tcp(listener.fd).has_value();
  const bool goes_on = was_accepted || !net::is_exhaustion(errno);
  spare_ = open_spare();
  if (goes_on) return;
  paused_listeners_.push_back(listener);
  epoll_.modify(listener.fd, listener.tag().pack(), 0);
  listen_again_at_ = std::min(listen_again_at_, now.steady + kDeafness);
}

void TcpRelays::listen_again() {
  listen_again_at_ = SteadyTime::max();
  for (const RelayEvent& listener : std::exchange(paused_listeners_, {})) {
    // The descriptor may belong to another relay now.
    const bool is_there = relays_.role_of(listener.relay, listener.fd) == RelaySockets::Role::tcp_listener;
    if (is_there) epoll_.modify(listener.fd, listener.tag().pack(), EPOLLIN);
  }
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
    const ConnectionId id = bound.id;
    close_if_out_of_memory(id, [&] {
      std::optional<net::Stream> client = streams.release(bound.client);
      if (client && bound.peer) {
        add(std::move(bound), std::move(*client), now);
      } else {
        close_and_report(id);
      }
    });
  }
}

void TcpRelays::add(Bound bound, net::Stream client, TimePoint now) {
  if (!buffers_) buffers_ = std::make_unique<net::StreamBuffers>();
  const ConnectionId id = bound.id;
  auto joined = std::make_unique<Joined>(std::move(client), net::Stream(std::move(bound.peer), nullptr));
  joined->budgets = std::move(bound.budgets);
  joined->transport = bound.client.transport;
  for (const Side side : {Side::client, Side::peer}) {
    joined->at(side).stream.allow_waiting(net::Stream::kJoinedLimit);
  }
  const EventTag tag = PeerConnectionEvent{.id = id}.tag();
  if (!epoll_.add(joined->at(Side::peer).stream.fd(), tag.pack(), 0)) return close_and_report(id);
  ++counters_.joined;
  Joined& added = *joined_.insert_or_assign(id, std::move(joined)).first->second;
  // What the client has sent after its ConnectionBind is forwarded now, since no event announces it.
  if (added.at(Side::client).stream.has_unread() && !pass_on(id, added, Side::client, EPOLLIN, now))
    return close_gracefully(id, added, now);
  watch_both(id, added);
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
  if (event.leaving) {
    farewells_.on_event(event, events, *buffers_);
    return std::nullopt;
  }
  const auto found = joined_.find(id);
  if (found == joined_.end()) return std::nullopt;
  Joined& joined = *found->second;
  close_if_out_of_memory(id, [&] {
    if (pass_on(id, joined, event.side, events, now)) {
      watch_both(id, joined);
    } else {
      close_gracefully(id, joined, now);
    }
  });
  return std::nullopt;
}

// A connection that loses some of its octets is worse than none, so it ends when there is no memory.
template <class Act>
void TcpRelays::close_if_out_of_memory(ConnectionId id, Act&& act) {
  if (!attempt(counters_.out_of_memory, std::forward<Act>(act))) close_and_report(id);
}

bool TcpRelays::pass_on(ConnectionId id, Joined& joined, Side from, std::uint32_t events, TimePoint now) {
  using State = net::Stream::State;
  End& here = joined.at(from);
  End& there = joined.at(other(from));
  if ((events & EPOLLOUT) != 0 && here.stream.send_waiting() == State::ended) return false;
  const bool reads = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !here.ended && !here.is_paused();
  if (reads && !pause(id, joined, from, now) && !forward(joined, from, now)) return false;
  if (!here.ended) return !there.ended || here.stream.has_waiting();
  if (!there.stream.has_waiting()) return false;
  if (joined.deadline == SteadyTime{}) deadlines_.set(id, joined.deadline, now.steady + kLastWords);
  return true;
}

// Returns false when the other end accepts nothing any more.
bool TcpRelays::forward(Joined& joined, Side from, TimePoint now) {
  using State = net::Stream::State;
  End& here = joined.at(from);
  End& there = joined.at(other(from));
  Bytes bytes;
  buffers_->reset();
  const turn::StreamLimits limits = limits_from(joined, from);
  const std::size_t most = turn::StreamShaper::most_at_once(limits);
  here.ended = here.stream.receive_bytes(*buffers_, bytes, most) == State::ended;
  charge(joined, from, limits, bytes.size(), now);
  count(joined.transport, from, bytes.size());
  const bool sent = bytes.empty() || there.stream.send_bytes(bytes, *buffers_) == State::open;
  buffers_->reset();
  return sent;
}

void TcpRelays::count(Transport transport, Side from, std::size_t size) {
  ClientOctets& client = client_octets_[static_cast<std::size_t>(transport)];
  (from == Side::client ? counters_.to_peer_bytes : counters_.to_client_bytes) += size;
  (from == Side::client ? client.received : client.sent) += size;
}

void TcpRelays::add_traffic_to(turn::Breakdown& breakdown) const {
  for (const Transport transport : kTransports) {
    const ClientOctets& client = client_octets_[static_cast<std::size_t>(transport)];
    breakdown.of(transport).from_clients.bytes += client.received;
    breakdown.of(transport).to_clients.bytes += client.sent;
  }
}

// When more has passed than the limits allow, nothing is read from this end until the time has made up for
// it. Returns whether this end waits now.
bool TcpRelays::pause(ConnectionId id, Joined& joined, Side from, TimePoint now) {
  End& here = joined.at(from);
  const auto pause = here.shaper.pause(limits_from(joined, from), now.steady, random_);
  if (!pause) return false;
  if (pause->limit == turn::LimitKey::bytes_per_second_per_user) {
    joined.budgets.user->want_all(direction_from(from));
  }
  limits_reached_ |= 1U << static_cast<unsigned>(pause->limit);
  ++counters_.slowed;
  paused_.set({id, from}, here.resume_at, pause->until);
  return true;
}

turn::StreamLimits TcpRelays::limits_from(const Joined& joined, Side from) const {
  return turn::find_stream_limits(limits_, joined.budgets, shared_.server_budgets, direction_from(from));
}

void TcpRelays::charge(Joined& joined, Side from, const turn::StreamLimits& limits, std::size_t size,
                       TimePoint now) {
  const turn::Direction direction = direction_from(from);
  joined.budgets.allocation->count_streamed(direction, size);
  if (limits.empty()) return;
  joined.budgets.user->count(direction, size);
  joined.at(from).shaper.spend(limits, buffers_->taken(), size, now.steady);
}

// The next event of an end shows whether it has to wait again. Octets that the client sent after its
// ConnectionBind are in no socket and cause no event, so they are forwarded here.
void TcpRelays::resume(ConnectionId id, Side side, TimePoint now) {
  Joined& joined = *joined_.at(id);
  End& here = joined.at(side);
  paused_.clear({id, side}, here.resume_at);
  here.resume_at = SteadyTime{};
  here.shaper.resume();
  if (here.stream.has_unread() && !pass_on(id, joined, side, EPOLLIN, now)) {
    return close_gracefully(id, joined, now);
  }
  watch_both(id, joined);
}

void TcpRelays::watch_both(ConnectionId id, Joined& joined) {
  for (const Side side : {Side::client, Side::peer}) {
    End& here = joined.at(side);
    const End& there = joined.at(other(side));
    const bool reads = !here.ended && !here.is_paused() && !there.ended && !there.stream.has_waiting();
    std::uint32_t events =
        (reads ? std::uint32_t{EPOLLIN} : 0) | (here.stream.has_waiting() ? std::uint32_t{EPOLLOUT} : 0);
    // otherwise a reset would be reported all the time
    if (events == 0 && here.is_paused()) events = EPOLLONESHOT;
    if (events == here.watched && events != 0) continue;
    here.watched = events;
    // An end that is closed would be reported again and again.
    const bool gone = here.ended && events == 0;
    const int fd = here.stream.fd();
    if (gone) {
      epoll_.remove(fd);
    } else {
      epoll_.modify(fd, PeerConnectionEvent{.id = id, .side = side}.tag().pack(), events);
    }
  }
}

void TcpRelays::close_data_connection(ConnectionId id) {
  for (Bound& bound : bound_) {
    if (bound.id == id) bound.peer = net::Fd();  // join() then ends the client's connection
  }
  const auto found = joined_.find(id);
  if (found == joined_.end()) return;
  deadlines_.clear(id, found->second->deadline);
  for (const Side side : {Side::client, Side::peer}) {
    paused_.clear({id, side}, found->second->at(side).resume_at);
  }
  joined_.erase(found);
}

// An end that is open and has accepted everything is told that no more will follow.
void TcpRelays::close_gracefully(ConnectionId id, Joined& joined, TimePoint now) {
  for (const Side side : {Side::client, Side::peer}) {
    End& end = joined.at(side);
    if (end.ended || end.stream.has_waiting()) continue;
    farewells_.add({.id = id, .side = side}, std::move(end.stream), *buffers_, now);
  }
  close_and_report(id);
}

void TcpRelays::close_and_report(ConnectionId id) {
  close_data_connection(id);
  const std::optional<unsigned> worker = shared_.table.remove_ended(id);
  if (!worker) return;
  if (*worker == worker_) {
    closed_.push_back(id);
  } else {
    shared_.mailboxes[*worker].post(PeerClosed{id});
  }
}

void TcpRelays::on_timeout(TimePoint now) {
  while (paused_.next() <= now.steady) {
    const std::pair<ConnectionId, Side> due = paused_.first();
    close_if_out_of_memory(due.first, [&] { resume(due.first, due.second, now); });
  }
  while (deadlines_.next() <= now.steady) close_and_report(deadlines_.first());
  farewells_.on_timeout(now);
  if (listen_again_at_ <= now.steady) listen_again();
}

}  // namespace turnpike::relay
