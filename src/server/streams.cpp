#include "server/streams.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "net/tcp_socket.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::server {
namespace {

constexpr int kAcceptsPerPass = 64;      // so that a flood of them does not keep the others waiting
constexpr Duration kListenerPause{100};  // while there is no descriptor for another connection
constexpr std::uint32_t kReading = EPOLLIN | EPOLLRDHUP;

constexpr std::uint64_t kSlotMask = 0xFFFFFFFF;
constexpr int kSlotBits = 32;
constexpr std::uint32_t kGenerationMask = 0x1FFFFFFF;

// What a client can do without: data, and what ICMP said of it.
bool is_media(Bytes head) {
  if (stun::looks_like_channel_data(head)) return true;
  constexpr stun::MessageType kData{stun::Method::data, stun::Class::indication};
  return head.size() >= 2 && stun::MessageType::from_wire(load_u16(head.data())) == kData;
}

bool is_exhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

bool IdleConnections::take(const IpAddress& source) {
  const std::lock_guard lock(mutex_);
  std::uint32_t& count = counts_[source_block(source)];
  if (most_ != 0 && count >= most_) return false;
  ++count;
  return true;
}

void IdleConnections::add(const IpAddress& source) {
  const std::lock_guard lock(mutex_);
  ++counts_[source_block(source)];
}

void IdleConnections::give_back(const IpAddress& source) {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(source_block(source));
  if (--found->second == 0) counts_.erase(found);
}

Streams::Streams(int epoll, std::vector<StreamListener> listeners, const Shared& shared)
    : epoll_(epoll), listeners_(std::move(listeners)), shared_(shared) {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (!watch(listeners_[i].socket.get(), kListenerBit | i, EPOLL_CTL_ADD, EPOLLIN)) {
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
  }
}

Streams::~Streams() { by_deadline_.clear(); }

bool Streams::watch(int fd, std::uint64_t tag, int operation, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  return epoll_ctl(epoll_, operation, fd, &event) == 0;
}

// --- Connections come

void Streams::on_listener(std::uint64_t tag, TimePoint now) {
  const StreamListener& listener = listeners_[tag & ~kListenerBit];
  for (int i = 0; i < kAcceptsPerPass && accept_one(listener, now); ++i) {
  }
}

// False when there is nothing to accept, or nothing to accept it with.
bool Streams::accept_one(const StreamListener& listener, TimePoint now) {
  std::optional<net::Accepted> accepted = net::accept_tcp(listener.socket.get());
  if (!accepted) {
    if (is_exhaustion(errno)) {
      ++counters_.out_of_descriptors;
      pause_listeners(now);
    }
    return !is_exhaustion(errno) && errno != EAGAIN;
  }
  if (shared_.idle.take(accepted->from.address)) {
    open(listener, std::move(accepted->fd), accepted->from, now);
  } else {
    ++counters_.refused;
  }
  return true;
}

void Streams::open(const StreamListener& listener, net::Fd fd, const Endpoint& from, TimePoint now) {
  const bool wildcard = listener.endpoint.address.is_unspecified();
  const std::optional<Endpoint> local =
      wildcard ? net::connection_endpoint(fd.get()) : std::optional(listener.endpoint);
  const std::uint32_t index = free_slot();
  Slot& slot = slots_[index];
  const std::uint64_t number = std::uint64_t{slot.generation} << kSlotBits | index;
  const bool tls = listener.transport == Transport::tls;
  if (!local || !watch(fd.get(), number, EPOLL_CTL_ADD, kReading)) {
    free_.push_back(index);
    return shared_.idle.give_back(from.address);
  }
  slot.connection = std::make_unique<Connection>(std::move(fd), tls ? shared_.tls : nullptr);
  Connection& connection = *slot.connection;
  connection.tuple = {from, *local, listener.transport, number};
  connection.was_established = connection.stream.is_established();
  connection.deadline = now.steady + shared_.limits.connect_timeout;
  connection.looked_at_by = connection.deadline;
  by_deadline_.insert(connection);
  ++counters_.accepted;
}

std::uint32_t Streams::free_slot() {
  if (free_.empty()) {
    slots_.emplace_back();
    return static_cast<std::uint32_t>(slots_.size() - 1);
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  return index;
}

// A connection that nobody can accept stays readable: without a pause the worker would do nothing but look at
// it.
void Streams::pause_listeners(TimePoint now) {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    watch(listeners_[i].socket.get(), kListenerBit | i, EPOLL_CTL_MOD, 0);
  }
  paused_until_ = now.steady + kListenerPause;
}

void Streams::resume_listeners() {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    watch(listeners_[i].socket.get(), kListenerBit | i, EPOLL_CTL_MOD, EPOLLIN);
  }
  paused_until_.reset();
}

// --- What they bring

Streams::Connection* Streams::find_last(std::uint64_t number) {
  const std::uint64_t index = number & kSlotMask;
  if (index >= slots_.size() || slots_[index].generation != number >> kSlotBits) return nullptr;
  return slots_[index].connection.get();
}

Streams::Connection* Streams::find(std::uint64_t number) {
  Connection* connection = find_last(number);
  return connection && !connection->has_ended ? connection : nullptr;
}

// Whatever happened to a connection, a receive tells; there is no other way to its end.
Streams::Received Streams::on_event(std::uint64_t number, std::uint32_t events, TimePoint now) {
  messages_.clear();
  Connection* connection = find(number);
  if (!connection) return {};
  net::Stream& stream = connection->stream;
  bool open = true;
  if ((events & EPOLLOUT) != 0) open = stream.send_waiting() == net::Stream::State::open;
  if (open && (events & ~EPOLLOUT) != 0) {
    open = stream.receive(buffers_, messages_) == net::Stream::State::open;
  }
  if (!std::exchange(connection->was_established, stream.is_established()) && stream.is_established()) {
    live_until(*connection, now.steady + shared_.limits.connect_timeout);
  }
  if (!messages_.empty() && !connection->has_allocation) {
    live_until(*connection, now.steady + shared_.limits.idle_timeout);
  }
  if (open) {
    watch_output(*connection);
  } else {
    end(*connection);
  }
  return {connection->tuple, messages_};
}

// --- What they get

void Streams::add(const turn::Output::ToClient& message, Bytes head) {
  Connection* connection = find_last(message.tuple.connection);
  if (!connection) return;
  const auto index = static_cast<std::uint32_t>(outgoing_.size());
  outgoing_.push_back({{head, message.payload, message.padding, is_media(head)}, kNone});
  if (connection->first == kNone) {
    connection->first = index;
    with_output_.push_back(connection);
  } else {
    outgoing_[connection->last].next = index;
  }
  connection->last = index;
}

void Streams::send() {
  for (Connection* connection : with_output_) {
    together_.clear();
    for (std::uint32_t i = connection->first; i != kNone; i = outgoing_[i].next) {
      together_.push_back(outgoing_[i].message);
    }
    connection->first = connection->last = kNone;
    if (connection->stream.send(together_, buffers_) == net::Stream::State::ended) {
      end(*connection);
    } else {
      watch_output(*connection);
    }
  }
  with_output_.clear();
  outgoing_.clear();
}

void Streams::watch_output(Connection& connection) {
  if (connection.has_ended || connection.watches_output == connection.stream.has_waiting()) return;
  connection.watches_output = connection.stream.has_waiting();
  watch(connection.stream.fd(), connection.tuple.connection, EPOLL_CTL_MOD,
        kReading | (connection.watches_output ? std::uint32_t{EPOLLOUT} : 0));
}

// --- How long they stay

void Streams::follow(std::span<const turn::Output::Event> events, TimePoint now) {
  using Kind = turn::Output::Event::Kind;
  for (const turn::Output::Event& event : events) {
    if (event.kind == Kind::request_refused || !is_stream(event.tuple.transport)) continue;
    Connection* connection = find(event.tuple.connection);
    if (!connection) continue;
    connection->has_allocation = event.kind == Kind::allocation_created;
    if (connection->has_allocation) {
      shared_.idle.give_back(connection->tuple.client.address);
      live_until(*connection, SteadyTime::max());
    } else {
      shared_.idle.add(connection->tuple.client.address);
      live_until(*connection, now.steady + shared_.limits.idle_timeout);
    }
  }
}

// A deadline that moves later is noticed when the old one comes.
void Streams::live_until(Connection& connection, SteadyTime deadline) {
  connection.deadline = deadline;
  if (deadline >= connection.looked_at_by) return;
  by_deadline_.erase(by_deadline_.iterator_to(connection));
  connection.looked_at_by = deadline;
  by_deadline_.insert(connection);
}

void Streams::end(Connection& connection) {
  if (std::exchange(connection.has_ended, true)) return;
  ended_.push_back(connection.tuple);
}

void Streams::remove_ended() {
  for (const FiveTuple& tuple : ended_) {
    const auto index = static_cast<std::uint32_t>(tuple.connection & kSlotMask);
    Slot& slot = slots_[index];
    if (!slot.connection->has_allocation) shared_.idle.give_back(tuple.client.address);
    by_deadline_.erase(by_deadline_.iterator_to(*slot.connection));
    slot.connection.reset();
    slot.generation = (slot.generation + 1) & kGenerationMask;
    free_.push_back(index);
  }
  ended_.clear();
}

void Streams::on_timeout(TimePoint now) {
  if (paused_until_ && *paused_until_ <= now.steady) resume_listeners();
  while (!by_deadline_.empty() && by_deadline_.begin()->looked_at_by <= now.steady) {
    Connection& connection = *by_deadline_.begin();
    const bool late = connection.deadline <= now.steady;
    by_deadline_.erase(by_deadline_.begin());
    connection.looked_at_by = late ? SteadyTime::max() : connection.deadline;
    by_deadline_.insert(connection);
    if (!late || connection.has_ended) continue;
    ++counters_.timed_out;
    end(connection);
  }
}

SteadyTime Streams::next_deadline() const {
  const SteadyTime next = by_deadline_.empty() ? SteadyTime::max() : by_deadline_.begin()->looked_at_by;
  return paused_until_ ? std::min(next, *paused_until_) : next;
}

}  // namespace turnpike::server
