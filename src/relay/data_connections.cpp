#include "relay/data_connections.hpp"

#include <sys/epoll.h>

#include <utility>

#include "relay/attempt.hpp"

namespace turnpike::relay {
namespace {

constexpr Duration kLastWords = std::chrono::seconds(30);  // the time for an end to accept what waits for it

}  // namespace

void DataConnections::add(Pair pair, TimePoint now) {
  if (!buffers_) buffers_ = std::make_unique<net::StreamBuffers>();
  const ConnectionId id = pair.id;
  auto joined = std::make_unique<Joined>(std::move(pair.client), net::Stream(std::move(pair.peer), nullptr));
  joined->budgets = std::move(pair.budgets);
  joined->transport = pair.transport;
  for (const Side side : {Side::client, Side::peer}) {
    joined->at(side).stream.allow_waiting(net::Stream::kJoinedLimit);
  }
  const EventTag tag = PeerConnectionEvent{.id = id}.tag();
  if (!epoll_.add(joined->at(Side::peer).stream.fd(), tag.pack(), 0)) return end(id);
  ++counters_.joined;
  Joined& added = *joined_.insert_or_assign(id, std::move(joined)).first->second;
  // What the client has sent after its ConnectionBind is forwarded now, since no event announces it.
  if (added.at(Side::client).stream.has_unread() && !pass_on(id, added, Side::client, EPOLLIN, now))
    return end_gracefully(id, added, now);
  watch_both(id, added);
}

void DataConnections::on_event(PeerConnectionEvent event, std::uint32_t events, TimePoint now) {
  const ConnectionId id = event.id;
  if (event.leaving) return farewells_.on_event(event, events, *buffers_);
  const auto found = joined_.find(id);
  if (found == joined_.end()) return;
  Joined& joined = *found->second;
  end_if_out_of_memory(id, [&] {
    if (pass_on(id, joined, event.side, events, now)) {
      watch_both(id, joined);
    } else {
      end_gracefully(id, joined, now);
    }
  });
}

// A connection that loses some of its octets is worse than none, so it ends when there is no memory.
template <class Act>
void DataConnections::end_if_out_of_memory(ConnectionId id, Act&& act) {
  if (attempt(counters_.out_of_memory, std::forward<Act>(act))) return;
  if (const auto found = joined_.find(id); found != joined_.end()) {
    for (End& one : found->second->ends) one.stream.reset_on_close();
  }
  end(id);
}

bool DataConnections::pass_on(ConnectionId id, Joined& joined, Side from, std::uint32_t events,
                              TimePoint now) {
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
bool DataConnections::forward(Joined& joined, Side from, TimePoint now) {
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

void DataConnections::count(Transport transport, Side from, std::size_t size) {
  ClientOctets& client = client_octets_[static_cast<std::size_t>(transport)];
  (from == Side::client ? counters_.to_peer_bytes : counters_.to_client_bytes) += size;
  (from == Side::client ? client.received : client.sent) += size;
}

void DataConnections::add_traffic_to(turn::Breakdown& breakdown) const {
  for (const Transport transport : kTransports) {
    const ClientOctets& client = client_octets_[static_cast<std::size_t>(transport)];
    breakdown.of(transport).from_clients.bytes += client.received;
    breakdown.of(transport).to_clients.bytes += client.sent;
  }
}

// When more has passed than the limits allow, nothing is read from this end until the time has made up for
// it. Returns whether this end waits now.
bool DataConnections::pause(ConnectionId id, Joined& joined, Side from, TimePoint now) {
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

turn::StreamLimits DataConnections::limits_from(const Joined& joined, Side from) const {
  return turn::find_stream_limits(limits_, joined.budgets, server_budgets_, direction_from(from));
}

void DataConnections::charge(Joined& joined, Side from, const turn::StreamLimits& limits, std::size_t size,
                             TimePoint now) {
  const turn::Direction direction = direction_from(from);
  joined.budgets.allocation->count_streamed(direction, size);
  if (limits.empty()) return;
  joined.budgets.user->count(direction, size);
  joined.at(from).shaper.spend(limits, buffers_->taken(), size, now.steady);
}

// The next event of an end shows whether it has to wait again. Octets that the client sent after its
// ConnectionBind are in no socket and cause no event, so they are forwarded here.
void DataConnections::resume(ConnectionId id, Side side, TimePoint now) {
  Joined& joined = *joined_.at(id);
  End& here = joined.at(side);
  paused_.clear({id, side}, here.resume_at);
  here.resume_at = SteadyTime{};
  here.shaper.resume();
  if (here.stream.has_unread() && !pass_on(id, joined, side, EPOLLIN, now)) {
    return end_gracefully(id, joined, now);
  }
  watch_both(id, joined);
}

void DataConnections::watch_both(ConnectionId id, Joined& joined) {
  for (const Side side : {Side::client, Side::peer}) {
    End& here = joined.at(side);
    const End& there = joined.at(other(side));
    const bool reads = !here.ended && !here.is_paused() && !there.ended && !there.stream.has_waiting();
    std::uint32_t events =
        (reads ? std::uint32_t{EPOLLIN} : 0) | (here.stream.has_waiting() ? std::uint32_t{EPOLLOUT} : 0);
    // Otherwise a reset would be reported all the time.
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

void DataConnections::remove(ConnectionId id) {
  const auto found = joined_.find(id);
  if (found == joined_.end()) return;
  deadlines_.clear(id, found->second->deadline);
  for (const Side side : {Side::client, Side::peer}) {
    End& one = found->second->at(side);
    paused_.clear({id, side}, one.resume_at);
    if (one.stream.has_waiting()) one.stream.reset_on_close();  // these octets are lost
  }
  joined_.erase(found);
}

// An end that is open and has accepted everything is told that no more will follow.
void DataConnections::end_gracefully(ConnectionId id, Joined& joined, TimePoint now) {
  for (const Side side : {Side::client, Side::peer}) {
    End& one = joined.at(side);
    if (one.ended || one.stream.has_waiting()) continue;
    farewells_.add({.id = id, .side = side}, std::move(one.stream), *buffers_, now);
  }
  end(id);
}

void DataConnections::end(ConnectionId id) {
  remove(id);
  host_.on_ended(id);
}

void DataConnections::on_timeout(TimePoint now) {
  while (paused_.next() <= now.steady) {
    const std::pair<ConnectionId, Side> due = paused_.first();
    end_if_out_of_memory(due.first, [&] { resume(due.first, due.second, now); });
  }
  while (deadlines_.next() <= now.steady) end(deadlines_.first());
  farewells_.on_timeout(now);
}

}  // namespace turnpike::relay
