#include "server/worker.hpp"

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "net/udp_socket.hpp"
#include "server/clock.hpp"
#include "server/event_log.hpp"
#include "server/gathering.hpp"

namespace turnpike::server {
namespace {

constexpr std::size_t kEventsPerWait = 64;
constexpr std::size_t kPoolSlots = 64;
constexpr std::size_t kDatagramsPerRelay = 8;  // so that one flow does not keep the others waiting

// Tags of what is waited for, in the top two bits: listeners with their index, relays with their number and a
// descriptor, neither of which needs all of 31 bits. Streams have tags of their own.
constexpr std::uint64_t kStreamTag = 0;
constexpr std::uint64_t kListenerTag = std::uint64_t{1} << 62;
constexpr std::uint64_t kRelayTag = std::uint64_t{2} << 62;
constexpr std::uint64_t kWakeTag = std::uint64_t{3} << 62;
constexpr std::uint64_t kTagMask = std::uint64_t{3} << 62;
constexpr int kDescriptorBits = 31;
constexpr std::uint64_t kDescriptorMask = (std::uint64_t{1} << kDescriptorBits) - 1;

constexpr long kPause = 200'000;              // ns; a fiftieth of what a jitter buffer holds
constexpr unsigned long kTimerSlack = 1'000;  // ns; 50,000 by default, which would make pauses uneven

void pause() {
  const timespec time{0, kPause};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

net::Fd require(int fd, const char* call) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), call);
  return net::Fd(fd);
}

}  // namespace

Worker::Worker(const Shared& shared, WorkerListeners listeners)
    : epoll_(require(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(require(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      listeners_(std::move(listeners.udp)),
      received_(kPoolSlots),
      streams_(epoll_.get(), std::move(listeners.streams), shared.streams),
      relays_(shared.relays, random_, *this),
      server_({
          .credentials = shared.credentials,
          .policy = shared.policy,
          .ports = relays_,
          .quota = shared.quota,
          .limiter = shared.limiter,
          .random = random_,
          .limits = shared.limits,
          .nonce_key = shared.nonce_key,
          .nonce_lifetime = shared.nonce_lifetime,
      }) {
  if (!watch(wake_.get(), kWakeTag)) throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
    if (!watch(listeners_[i].socket.get(), kListenerTag | i)) {
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
  }
}

Worker::~Worker() {
  if (thread_.joinable()) stop();
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

bool Worker::watch_relay(int fd, turn::RelayId relay) {
  return watch(
      fd, kRelayTag | static_cast<std::uint64_t>(relay) << kDescriptorBits | static_cast<std::uint64_t>(fd));
}

// What is still to go out through it goes first: its number may be another relay's a moment later.
void Worker::before_close(turn::RelayId) { send_to_peers(); }

bool Worker::watch(int fd, std::uint64_t tag) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = tag}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

int Worker::timeout_ms(SteadyTime now) const {
  const SteadyTime deadline = std::min(server_.next_deadline(), streams_.next_deadline());
  if (deadline == SteadyTime::max()) return -1;
  const auto wait = (deadline - now).count();
  return static_cast<int>(std::clamp<Duration::rep>(wait, 0, 60'000));
}

void Worker::run() {
  prctl(PR_SET_TIMERSLACK, kTimerSlack, 0UL, 0UL, 0UL);
  std::array<epoll_event, kEventsPerWait> events;
  TimePoint now = read_clocks();
  Gathering gathering;
  while (!stopping_.load(std::memory_order_relaxed)) {
    if (gathering.pays(counters().to_peer + counters().to_client, now.steady)) pause();
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms(now.steady));
    now = read_clocks();
    // First, so that no request revives what has just expired.
    if (server_.next_deadline() <= now.steady) server_.on_timeout(now, output_);
    if (streams_.next_deadline() <= now.steady) streams_.on_timeout(now);
    for (int i = 0; i < count; ++i) on_event(events[static_cast<std::size_t>(i)], now);
    flush(now);
  }
}

void Worker::on_event(const epoll_event& event, TimePoint now) {
  const std::uint64_t what = event.data.u64 & ~kTagMask;
  switch (event.data.u64 & kTagMask) {
    case kStreamTag: return on_stream(what, event.events, now);
    case kListenerTag: return on_listener(static_cast<std::uint32_t>(what), now);
    case kRelayTag:
      return on_relay(turn::RelayId(what >> kDescriptorBits), static_cast<int>(what & kDescriptorMask),
                      event.events, now);
    default: return;  // woken to see that it is to stop
  }
}

// Level-triggered: what a full pool leaves behind is reported again.
void Worker::on_listener(std::uint32_t index, TimePoint now) {
  const ListenerSocket& listener = listeners_[index];
  const bool wildcard = listener.endpoint.address.is_unspecified();
  if (received_.free_slots() < kPoolSlots / 2) flush(now);
  for (const net::ReceivedDatagram& datagram :
       received_.receive(listener.socket.get(), received_.free_slots(), wildcard)) {
    const Endpoint local{wildcard ? datagram.to : listener.endpoint.address, listener.endpoint.port};
    server_.on_client({datagram.from, local, Transport::udp, index}, datagram.payload, now, output_);
  }
}

void Worker::on_stream(std::uint64_t tag, std::uint32_t events, TimePoint now) {
  if (Streams::is_listener(tag)) return streams_.on_listener(tag, now);
  if (!streams_.can_receive()) flush(now);
  const Streams::Received received = streams_.on_event(tag, events, now);
  for (const Bytes message : received.messages) server_.on_client(received.tuple, message, now, output_);
}

void Worker::on_relay(turn::RelayId relay, int fd, std::uint32_t events, TimePoint now) {
  if (!relays_.owns(relay, fd)) return;
  if ((events & EPOLLERR) != 0) take_relay_errors(relay, fd, now);
  if ((events & EPOLLIN) == 0) return;
  if (received_.free_slots() < kDatagramsPerRelay) flush(now);
  for (const net::ReceivedDatagram& datagram : received_.receive(fd, kDatagramsPerRelay, false)) {
    server_.on_peer(relay, datagram.from, datagram.payload, now, output_);
  }
}

// An error that is left in the queue would be reported for ever, and would fail the next send, whomever that
// is for.
void Worker::take_relay_errors(turn::RelayId relay, int fd, TimePoint now) {
  while (const auto error = net::take_error(fd)) {
    if (error->icmp) server_.on_icmp(relay, error->peer, *error->icmp, now, output_);
  }
}

void Worker::flush(TimePoint now) {
  // Before the answers: whoever is told of an allocation may connect again at once.
  streams_.follow(output_.events(), now);
  send_to_peers();
  send_to_clients();
  part_with_ended(now);
  log_events(output_.events());
  output_.clear();
  received_.reset();
  streams_.release_received();
}

// After all answers have gone out, the last one of a connection as well.
void Worker::part_with_ended(TimePoint now) {
  for (const FiveTuple& tuple : streams_.ended()) server_.on_client_closed(tuple, now, output_);
  streams_.remove_ended();
}

void Worker::send_to_peers() {
  for (const turn::Output::ToPeer& message : output_.to_peers()) {
    if (message.dont_fragment) {
      batch_.send();
      send_dont_fragment(message);
    } else {
      const RelaySockets::Way way = relays_.way_to(message.relay, message.peer);
      batch_.add(way.fd, way.connected ? nullptr : &message.peer, {}, message.payload, 0, {});
    }
  }
  batch_.send();
  output_.clear_to_peers();
}

void Worker::send_dont_fragment(const turn::Output::ToPeer& message) {
  sends_.count(net::send_dont_fragment(static_cast<int>(message.relay), message.peer, message.payload));
}

void Worker::send_to_clients() {
  for (const turn::Output::ToClient& message : output_.to_clients()) {
    if (is_stream(message.tuple.transport)) {
      streams_.add(message, output_.head(message));
      continue;
    }
    const ListenerSocket& listener = listeners_[message.tuple.connection];
    const IpAddress from =
        listener.endpoint.address.is_unspecified() ? message.tuple.server.address : IpAddress();
    batch_.add(listener.socket.get(), &message.tuple.client, output_.head(message), message.payload,
               message.padding, from);
  }
  batch_.send();
  streams_.send();
}

}  // namespace turnpike::server
