#include "relay/tcp_relays.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <new>
#include <utility>

#include "net/tcp_socket.hpp"

namespace turnpike::relay {
namespace {

constexpr Duration kLastWords = std::chrono::seconds(30);  // that an end has to take what waits for it

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

// --- Until they are bound

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

std::optional<TcpRelays::Accepted> TcpRelays::accept(int listener) {
  std::optional<net::Accepted> accepted = net::accept_tcp(listener);
  if (!accepted) {
    if (!net::is_exhaustion(errno)) return std::nullopt;
    // One that waits for ever would keep the worker busy with nothing else.
    ++counters_.out_of_descriptors;
    spare_ = net::Fd();
    net::accept_tcp(listener);
    spare_ = open_spare();
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

void TcpRelays::offer(ConnectionId id, const auth::Identity& client, turn::SharedBudgets budgets) {
  const auto found = sockets_.find(id);
  shared_.table.offer(id, client, std::move(budgets), std::move(found->second));
  sockets_.erase(found);
}

std::optional<auth::Identity> TcpRelays::awaited_by(ConnectionId id) { return shared_.table.awaited_by(id); }

bool TcpRelays::bind(ConnectionId id, const auth::Identity& identity, const FiveTuple& client) {
  std::optional<PeerConnectionTable::Waiting> waiting = shared_.table.bind(id, identity, worker_);
  if (!waiting) return false;
  bound_.push_back({id, std::move(waiting->peer), client, std::move(waiting->budgets)});
  return true;
}

bool TcpRelays::close_unbound(ConnectionId id) { return shared_.table.close_unbound(id); }

void TcpRelays::close(ConnectionId id) {
  sockets_.erase(id);
  const std::optional<unsigned> bound_by = shared_.table.close(id);
  if (!bound_by) return;
  if (*bound_by == worker_) return close_data_connection(id);
  shared_.mailboxes[*bound_by].post(CloseDataConnection{id});
}

// --- From then on

void TcpRelays::join(Streams& streams, TimePoint now) {
  for (Bound& bound : std::exchange(bound_, {})) {
    const ConnectionId id = bound.id;
    try {
      std::optional<net::Stream> client = streams.release(bound.client);
      if (client) {
        add(std::move(bound), std::move(*client), now);
      } else {
        part(id);
      }
    } catch (const std::bad_alloc&) {
      ++counters_.out_of_memory;
      part(id);
    }
  }
}

void TcpRelays::add(Bound bound, net::Stream client, TimePoint now) {
  if (!buffers_) buffers_ = std::make_unique<net::StreamBuffers>();
  const ConnectionId id = bound.id;
  auto joined = std::make_unique<Joined>(std::move(client), net::Stream(std::move(bound.peer), nullptr));
  joined->budgets = std::move(bound.budgets);
  for (const Side side : {Side::client, Side::peer}) {
    joined->at(side).stream.allow_waiting(net::Stream::kJoinedLimit);
  }
  const EventTag tag = PeerConnectionEvent{.id = id}.tag();
  if (!epoll_.add(joined->at(Side::peer).stream.fd(), tag.pack(), 0)) return part(id);
  ++counters_.joined;
  Joined& added = *joined_.insert_or_assign(id, std::move(joined)).first->second;
  // What the client has sent behind its ConnectionBind goes out without waiting for more.
  if (added.at(Side::client).stream.has_unread() && !pass_on(id, added, Side::client, EPOLLIN, now))
    return part(id);
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
  const auto found = joined_.find(id);
  if (found == joined_.end()) return std::nullopt;
  Joined& joined = *found->second;
  if (pass_on(id, joined, event.side, events, now)) {
    watch_both(id, joined);
  } else {
    part(id);
  }
  return std::nullopt;
}

bool TcpRelays::pass_on(ConnectionId id, Joined& joined, Side from, std::uint32_t events, TimePoint now) {
  using State = net::Stream::State;
  End& here = joined.at(from);
  End& there = joined.at(other(from));
  if ((events & EPOLLOUT) != 0 && here.stream.send_waiting() == State::ended) return false;
  const bool reads = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !here.ended;
  if (reads && !pauses(id, joined, from, now) && !forward(joined, from, now)) return false;
  if (!here.ended) return !there.ended || here.stream.has_waiting();
  if (!there.stream.has_waiting()) return false;
  if (joined.deadline == SteadyTime{}) deadlines_.set(id, joined.deadline, now.steady + kLastWords);
  return true;
}

// False when the other end does not take anything any more.
bool TcpRelays::forward(Joined& joined, Side from, TimePoint now) {
  using State = net::Stream::State;
  End& here = joined.at(from);
  End& there = joined.at(other(from));
  Bytes bytes;
  buffers_->reset();
  here.ended = here.stream.receive_bytes(*buffers_, bytes, most_at_once()) == State::ended;
  charge(joined, from, bytes.size(), now);
  (from == Side::client ? counters_.to_peer_bytes : counters_.to_client_bytes) += bytes.size();
  const bool sent = bytes.empty() || there.stream.send_bytes(bytes, *buffers_) == State::open;
  buffers_->reset();
  return sent;
}

// Whether more has passed than may. Then nothing is read from this end until that is made up for.
bool TcpRelays::pauses(ConnectionId id, Joined& joined, Side from, TimePoint now) {
  if (!limits_.shapes_traffic()) return false;
  const turn::Direction direction = direction_from(from);
  SteadyTime ready = SteadyTime::min();
  const auto wait_for = [&](const turn::ByteBudget& budget, std::uint32_t per_second) {
    if (per_second != 0) ready = std::max(ready, budget.ready_at());
  };
  wait_for(joined.budgets.user->of(direction), limits_.bytes_per_second_per_user);
  if (ready > now.steady) joined.budgets.user->want_all(direction);
  wait_for(joined.budgets.allocation->of(direction), limits_.bytes_per_second_per_allocation);
  wait_for(shared_.server_budgets.of(direction), limits_.bytes_per_second);
  if (ready <= now.steady) return false;
  ++counters_.slowed;
  joined.at(from).paused = true;
  const bool is_sooner = joined.resume_at == SteadyTime{} || ready < joined.resume_at;
  if (is_sooner) paused_.set(id, joined.resume_at, ready);
  return true;
}

// Octets that are read in one go: what a tenth of a second allows, so that a low limit holds at each moment.
std::size_t TcpRelays::most_at_once() const {
  constexpr std::size_t kLeast = 2048;
  std::size_t most = net::StreamBuffers::kReceiveSize;
  for (const std::uint32_t limit : {limits_.bytes_per_second, limits_.bytes_per_second_per_user,
                                    limits_.bytes_per_second_per_allocation}) {
    if (limit != 0) most = std::min<std::size_t>(most, std::max<std::size_t>(limit / 10, kLeast));
  }
  return most;
}

void TcpRelays::charge(Joined& joined, Side from, std::size_t size, TimePoint now) {
  const turn::Direction direction = direction_from(from);
  joined.budgets.allocation->count_streamed(direction, size);
  if (!limits_.shapes_traffic()) return;
  joined.budgets.allocation->of(direction).charge(size, limits_.bytes_per_second_per_allocation, now.steady);
  turn::UserBudgets& of_user = *joined.budgets.user;
  of_user.count(direction, size);
  of_user.of(direction).charge(size, of_user.limit_here(direction, limits_.bytes_per_second_per_user),
                               now.steady);
  shared_.server_budgets.of(direction).charge(size, limits_.bytes_per_second, now.steady);
}

// The next event of an end tells whether it has to wait again.
void TcpRelays::resume(ConnectionId id) {
  Joined& joined = *joined_.at(id);
  paused_.clear(id, joined.resume_at);
  joined.resume_at = SteadyTime{};
  for (const Side side : {Side::client, Side::peer}) joined.at(side).paused = false;
  watch_both(id, joined);
}

void TcpRelays::watch_both(ConnectionId id, Joined& joined) {
  for (const Side side : {Side::client, Side::peer}) {
    End& here = joined.at(side);
    const End& there = joined.at(other(side));
    const bool reads = !here.ended && !here.paused && !there.ended && !there.stream.has_waiting();
    const std::uint32_t events =
        (reads ? std::uint32_t{EPOLLIN} : 0) | (here.stream.has_waiting() ? std::uint32_t{EPOLLOUT} : 0);
    if (events == here.watched && events != 0) continue;
    here.watched = events;
    // One that is gone would be reported for ever.
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
  std::erase_if(bound_, [&](const Bound& bound) { return bound.id == id; });
  const auto found = joined_.find(id);
  if (found == joined_.end()) return;
  deadlines_.clear(id, found->second->deadline);
  paused_.clear(id, found->second->resume_at);
  joined_.erase(found);
}

void TcpRelays::part(ConnectionId id) {
  close_data_connection(id);
  const std::optional<unsigned> worker = shared_.table.ended(id);
  if (!worker) return;
  if (*worker == worker_) {
    closed_.push_back(id);
  } else {
    shared_.mailboxes[*worker].post(PeerClosed{id});
  }
}

void TcpRelays::on_timeout(TimePoint now) {
  while (paused_.next() <= now.steady) resume(paused_.first());
  while (deadlines_.next() <= now.steady) part(deadlines_.first());
}

}  // namespace turnpike::relay
