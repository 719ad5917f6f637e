#include "relay/streams.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <new>
#include <utility>

#include "relay/balancers.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/types.hpp"
#include "turnpike/turn/client_policy.hpp"

namespace turnpike::relay {
namespace {

constexpr int kAcceptsPerPass = 64;  // so that many new connections do not delay the others
// The octets that a pass takes from a client without an allocation. This is about fifty requests. With 64 KiB
// from each of many clients, all other clients of the worker waited for a tenth of a second.
constexpr std::size_t kStrangerReceives = 1 << 10;
// A handshake may take a whole flight at a time: a ClientHello with an ML-KEM key share has 1.8 kB.
constexpr std::size_t kHandshakeReceives = 4 << 10;
constexpr std::uint32_t kAtEnd = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

}  // namespace

bool Streams::is_media(Bytes head) {
  if (stun::looks_like_channel_data(head)) return true;
  constexpr stun::MessageType kData{stun::Method::data, stun::Class::indication};
  return head.size() >= 2 && stun::MessageType::from_wire(load_u16(head.data())) == kData;
}

Streams::Streams(net::Epoll& epoll, std::vector<StreamListener> listeners, const Shared& shared,
                 const StreamLimits& limits)
    : shared_(shared),
      limits_(limits),
      listeners_(epoll, std::move(listeners), counters_),
      sets_(epoll),
      book_(shared.idle),
      start_(shared_, {sets_, book_, buffers_, counters_}) {}

void Streams::use(const Settings& settings) {
  limits_ = settings.streams;
  const turn::ClientPolicy* const clients = settings.clients.get();
  start_.use(clients);
  book_.for_each([&](Connection& connection) {
    // Behind a balancer, the client is known only when the connection is counted.
    if (connection.is_counted && !turn::admits(clients, connection.tuple.client.address))
      book_.end(connection);
  });
}

// --- New connections

void Streams::on_listener(std::uint64_t index, TimePoint now) {
  const StreamListener& listener = listeners_.at(index);
  for (int i = 0; i < kAcceptsPerPass; ++i) {
    StreamListeners::Outcome result = listeners_.accept(listener, now);
    if (!result.goes_on) return;
    if (result.accepted) on_accepted(listener, std::move(*result.accepted), now);
  }
}

void Streams::on_accepted(const StreamListener& listener, net::Accepted accepted, TimePoint now) {
  const IpAddress& from = accepted.from.address;
  if (!listener.balancers.empty() && !is_any_of(listener.balancers, from)) {
    ++counters_.untrusted;
    return;
  }
  // Behind a balancer, the client is admitted when its header has told who it is.
  if (listener.balancers.empty() && !start_.admit(from)) return;
  open(listener, std::move(accepted.fd), accepted.from, now);
}

void Streams::open(const StreamListener& listener, net::Fd fd, const Endpoint& from, TimePoint now) {
  Connection* made = make(listener, std::move(fd), from);
  if (!made) {
    if (listener.balancers.empty()) shared_.idle.release(from.address);
    return;
  }
  Connection& connection = *made;
  book_.add(connection, now.steady + limits_.connect_timeout);
  ++counters_.accepted;
  const bool is_tls = !connection.detector && listener.transport == Transport::tls;
  if (is_tls && !start_.start_tls(connection, now)) book_.end(connection);
  connection.was_established = connection.stream.is_established();
}

// Returns null, and leaves nothing behind, when there is no memory or the connection has already ended.
Streams::Connection* Streams::make(const StreamListener& listener, net::Fd fd, const Endpoint& from) {
  const bool wildcard = listener.endpoint.address.is_unspecified();
  const std::optional<Endpoint> local =
      wildcard ? net::connection_endpoint(fd.get()) : std::optional(listener.endpoint);
  if (!local) return nullptr;
  const auto prepare = [&](Connection& connection, PathId number) {
    start_.prepare(connection, listener, {from, *local, listener.transport.value_or(Transport::tcp), number});
    return sets_.add(connection);
  };
  try {
    return book_.make(prepare, std::move(fd));
  } catch (const std::bad_alloc&) {
    ++counters_.out_of_memory;
    return nullptr;
  }
}

// --- Events of connections

// EPOLLERR and EPOLLHUP need no code of their own: a receive reports the end of the connection.
Streams::Received Streams::on_event(EventTag tag, std::uint32_t events, TimePoint now) {
  messages_.clear();
  if (tag.kind == EventKind::handshakes) {
    const auto handshake = sets_.next_handshake();
    if (!handshake) return {};
    tag = handshake->tag;
    events = handshake->events;
  }
  in_hand_ = PathId{tag.number};
  Connection* connection = book_.find(in_hand_);
  if (!connection) return {};
  using State = net::Stream::State;
  const net::Stream& stream = connection->stream;
  if (connection->detector && !start_.detect_protocol(*connection, (events & kAtEnd) != 0, now)) return {};
  State state = transfer(*connection, events);
  if (state == State::http) {
    if (!connection->was_established) ++counters_.handshakes_established;
    start_.hand_over_http(*connection);
    return {};
  }
  if (!std::exchange(connection->was_established, stream.is_established()) && stream.is_established()) {
    ++counters_.handshakes_established;
    if (!sets_.move_to_handshakes(*connection, false)) state = State::ended;
    set_deadline(*connection, now.steady + limits_.connect_timeout);
  }
  if (!messages_.empty() && !connection->has_allocation) {
    set_deadline(*connection, now.steady + limits_.idle_timeout);
  }
  if (state == State::open) {
    sets_.watch_output(*connection);
  } else {
    book_.end(*connection);
  }
  return {connection->tuple, messages_};
}

// Sends what waits, as far as the socket takes it, and takes the messages that have come.
net::Stream::State Streams::transfer(Connection& connection, std::uint32_t events) {
  using State = net::Stream::State;
  net::Stream& stream = connection.stream;
  if ((events & EPOLLOUT) != 0) {
    const State state = stream.send_waiting();
    if (state != State::open) return state;
  }
  if (stream.holds_octets()) return stream.take_held(buffers_, messages_);
  if ((events & ~EPOLLOUT) == 0) return State::open;
  if (connection.has_allocation) return stream.receive(buffers_, messages_, net::StreamBuffers::kReceiveSize);
  return stream.receive(buffers_, messages_,
                        connection.in_handshake ? kHandshakeReceives : kStrangerReceives);
}

// --- Output

void Streams::add(const turn::Output::ToClient& message, Bytes head) {
  Connection* connection = book_.find_last(message.tuple);
  if (!connection) return;
  output_.add(*connection, {head, message.payload, message.padding, is_media(head)});
}

void Streams::send() {
  output_.send_all([&](Connection& connection, const auto& collect) {
    net::Stream::State state = net::Stream::State::ended;
    try {
      state = connection.stream.send(collect(), buffers_);
    } catch (const std::bad_alloc&) {
      ++counters_.out_of_memory;
    }
    if (state == net::Stream::State::ended) {
      book_.end(connection);
    } else {
      sets_.watch_output(connection);
    }
  });
}

void Streams::give_up() {
  messages_.clear();
  if (Connection* connection = book_.find(in_hand_)) book_.end(*connection);
}

// --- Lifetimes

void Streams::set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now) {
  Connection* connection = book_.set_allocation(tuple, has_allocation, now.steady + limits_.idle_timeout);
  if (!connection) return;
  connection->stream.allow_waiting(has_allocation ? net::Stream::kControlLimit : net::Stream::kStrangerLimit);
  connection->stream.allow_messages(has_allocation ? stun::kMaxFrameSize : net::Stream::kStrangerMessage);
  book_.deadlines().wake_by(*connection, connection->deadline);
}

void Streams::set_deadline(Connection& connection, SteadyTime deadline) {
  connection.deadline = deadline;
  book_.deadlines().wake_by(connection, deadline);
}

void Streams::remove_ended() {
  book_.remove_ended([](Connection&) {});
}

std::optional<net::Stream> Streams::release(const FiveTuple& tuple) {
  Connection* connection = book_.find_last(tuple);
  if (!connection || connection->has_ended) return std::nullopt;
  std::optional<net::Stream> stream(std::move(connection->stream));
  book_.free(*connection);
  return stream;
}

void Streams::on_timeout(TimePoint now) {
  listeners_.on_timeout(now);
  while (Connection* connection = book_.deadlines().take_due(now.steady)) {
    if (connection->has_ended) continue;
    if (connection->deadline > now.steady) {
      book_.deadlines().wake_by(*connection, connection->deadline);
    } else {
      ++counters_.timed_out;
      book_.end(*connection);
    }
  }
}

SteadyTime Streams::next_deadline() const {
  return std::min(book_.deadlines().next(), listeners_.next_deadline());
}

void Streams::add_counters_to(Totals& totals) const {
  totals.add(counters_);
  totals.add(buffers_.counters);
}

}  // namespace turnpike::relay
