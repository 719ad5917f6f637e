#include "relay/worker.hpp"

#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "relay/clock.hpp"

namespace turnpike::relay {
namespace {

constexpr std::size_t kEventsPerWait = 64;
constexpr std::size_t kPoolSlots = 256;
constexpr int kAcceptsPerRelay = 16;
// This limit is in datagrams or runs. It keeps one flow from delaying the others. A client by TCP or TLS gets
// all of them with one send.
constexpr std::size_t kDatagramsPerRelay = 16;

constexpr unsigned long kTimerSlack = 1'000;  // ns; the default of 50,000 would make pauses uneven

bool is_mail(const epoll_event& event) { return EventTag::unpack(event.data.u64).kind == EventKind::mail; }

}  // namespace

Worker::Worker(const Shared& shared, unsigned number, WorkerListeners listeners)
    : thread_(std::string("worker-").append(std::to_string(number))),
      warnings_(shared.warnings),
      pacing_(shared.settings->batching_delay),
      mailbox_(shared.mailboxes[number]),
      event_log_(number, shared.hints),
      received_(kPoolSlots),
      clients_(thread_.epoll(), std::move(listeners), shared.clients, *shared.settings, random_, sends_),
      relays_(shared.relays, random_, *this, static_cast<std::uint16_t>(number)),
      tcp_relays_(thread_.epoll(), number, relays_, random_,
                  {shared.peer_connections, shared.mailboxes, shared.server_budgets}),
      roaming_(number, shared.mailboxes, crypto::draw_hash_key(random_)),
      outbox_({relays_, clients_, roaming_, shared.mailboxes, sends_, *this, counters_.out_of_memory}),
      settings_(shared.settings),
      server_({
          .settings = settings_->core(),
          .ports = relays_,
          .quota = shared.quota,
          .connection_quota = shared.connection_quota,
          .limiters = shared.limiters,
          .random = random_,
          .connections = shared.relays_tcp ? &tcp_relays_ : nullptr,
          .mobile = {.enabled = shared.mobility,
                     .worker = static_cast<std::uint16_t>(number),
                     .workers = static_cast<std::uint16_t>(shared.mailboxes.size())},
          .nonce_key = shared.nonce_key,
          .nat_discoveries = shared.nat_discoveries,
          .address_quota = &shared.address_quota,
          .server_budgets = &shared.server_budgets,
      }),
      mail_handler_({server_, output_, clients_, roaming_, tcp_relays_, *this, counters_.out_of_memory}) {
  use(*settings_);
  if (!thread_.epoll().add(mailbox_.fd(), EventTag{EventKind::mail}.pack(), EPOLLIN))
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  // Memory for a usual pass is reserved now, so that it is there when memory runs out later.
  output_.reserve(kPoolSlots);
  outbox_.reserve(kPoolSlots);
}

Worker::~Worker() {
  if (thread_.is_running()) stop();
}

bool Worker::watch_relay(int fd, turn::RelayId relay) {
  return RelayEvent::fits(fd) && thread_.epoll().add(fd, RelayEvent{relay, fd}.tag().pack(), EPOLLIN);
}

int Worker::timeout_ms(SteadyTime now) const {
  const SteadyTime deadline = std::min({server_.next_deadline(), clients_.next_deadline(),
                                        tcp_relays_.next_deadline(), event_log_.next_deadline()});
  if (deadline == SteadyTime::max()) return -1;
  if (deadline <= now) return 0;
  const auto wait = (deadline - now).count();
  return static_cast<int>(std::clamp<Duration::rep>(wait, 0, 60'000));
}

void Worker::add_counters_to(Totals& totals) const {
  totals.add(server_.counters());
  totals.breakdown += server_.breakdown();
  totals.histograms += pacing_.histograms();
  totals.histograms.received_runs += received_.runs();
  totals.histograms.sent_runs += outbox_.runs();
  totals.add(sends_);
  clients_.add_counters_to(totals);
  totals.add(tcp_relays_.counters());
  tcp_relays_.add_traffic_to(totals.breakdown);
  totals.add(relays_.counters());
  totals.add(mailbox_.counters());
  totals.add(counters_);
}

void Worker::run() {
  prctl(PR_SET_TIMERSLACK, kTimerSlack, 0UL, 0UL, 0UL);
  std::array<epoll_event, kEventsPerWait> events;
  TimePoint now = read_clocks();
  while (!thread_.is_stopping()) {
    const int timeout = pacing_.has_paused() ? 0 : timeout_ms(now.steady);
    const std::span<const epoll_event> ready = thread_.epoll().wait(events, timeout);
    pacing_.begin(server_.counters());
    now = read_clocks();
    expire(now);
    // Mail comes first. Otherwise a datagram that arrived after the daemon had reported new settings would be
    // handled by the old ones, when an earlier datagram of the same socket is ahead of the mail in this list.
    if (std::ranges::any_of(ready, is_mail)) attempt([&] { handle_mail(now); });
    for (const epoll_event& event : ready) {
      attempt([&] { on_event(EventTag::unpack(event.data.u64), event.events, now); });
    }
    flush(now);
    pacing_.end(server_.counters());
  }
  attempt([&] { server_.end_all(now, output_); });
  flush(now);
}

// This comes first in each pass, so that no request revives an allocation that has just expired.
void Worker::expire(TimePoint now) {
  if (server_.next_deadline() <= now.steady) {
    attempt([&] { server_.on_timeout(now, output_); });
    output_.close_relays();  // nothing waits to be sent yet, and the ports become free at once
  }
  clients_.on_timeout(now);
  if (tcp_relays_.next_deadline() <= now.steady) attempt([&] { tcp_relays_.on_timeout(now); });
  if (event_log_.next_deadline() <= now.steady) attempt([&] { event_log_.on_timeout(); });
}

void Worker::on_event(EventTag tag, std::uint32_t events, TimePoint now) {
  switch (tag.kind) {
    case EventKind::wake:          // run() looks whether it has to stop
    case EventKind::mail: return;  // run() has handled it
    case EventKind::relay: return on_relay(RelayEvent::of(tag), events, now);
    case EventKind::peer_connection: return on_peer_connection(PeerConnectionEvent::of(tag), events, now);
    default: return clients_.on_event(tag, events, now, received_, *this);
  }
}

void Worker::on_client(const FiveTuple& tuple, Bytes message, TimePoint now) {
  attempt([&] {
    if (roaming_.forward(tuple, message)) return;
    server_.on_client(tuple, message, now, output_);
    if (!output_.forwards().empty()) begin_forwards(now);
  });
}

// The forward takes effect at once, because the client's next message in this pass must go to the same
// worker.
void Worker::begin_forwards(TimePoint now) {
  for (const turn::Output::Forward& forward : output_.forwards()) {
    if (roaming_.begin(forward)) clients_.set_allocation(forward.tuple, true, now);
  }
  output_.clear_forwards();
}

// The flush comes before the look-up: it may close this relay, and another thread may at once get a
// descriptor with the same number.
void Worker::on_relay(RelayEvent event, std::uint32_t events, TimePoint now) {
  if (received_.free_slots() < kDatagramsPerRelay) flush(now);
  const turn::RelayId relay = event.relay;
  const int fd = event.fd;
  const RelaySockets::Role role = relays_.role_of(relay, fd);
  if (role == RelaySockets::Role::none) return;
  if (role == RelaySockets::Role::tcp_listener) return accept_peers(relay, fd, now);
  if ((events & EPOLLERR) != 0) outbox_.take_errors(relay, fd, now);
  if ((events & EPOLLIN) == 0) return;
  for (const net::ReceivedDatagram& datagram : received_.receive(fd, kDatagramsPerRelay)) {
    attempt([&] { server_.on_peer(relay, datagram.from, datagram.payload, now, output_); });
  }
}

void Worker::on_icmp(turn::RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, TimePoint now) {
  server_.on_icmp(relay, peer, icmp, now, output_);
}

void Worker::accept_peers(turn::RelayId relay, int fd, TimePoint now) {
  for (int i = 0; i < kAcceptsPerRelay; ++i) {
    const auto accepted = tcp_relays_.accept({relay, fd}, now);
    if (!accepted) return;
    bool stays = false;
    attempt([&] { stays = server_.on_accepted(relay, accepted->id, accepted->from, now, output_); });
    if (!stays) tcp_relays_.close(accepted->id);
  }
}

void Worker::on_peer_connection(PeerConnectionEvent event, std::uint32_t events, TimePoint now) {
  const auto connected = tcp_relays_.on_event(event, events, now);
  if (connected) server_.on_connected(connected->id, connected->connected, now, output_);
}

void Worker::on_client_closed(const FiveTuple& tuple, TimePoint now) {
  if (!roaming_.on_closed(tuple)) server_.on_client_closed(tuple, now, output_);
}

// The output has views of the mail, so it is carried out before the mail is deleted.
void Worker::handle_mail(TimePoint now) {
  const std::vector<Mail> all = mailbox_.take_mail();
  mail_handler_.handle_all(all, now);
  flush(now);
}

// The addresses come first, since the policy asks them whether a peer is a live relayed address. `former`
// keeps the old settings alive until the server uses the new ones.
void Worker::on_settings(const std::shared_ptr<const Settings>& settings, TimePoint now) {
  relays_.use(settings->relay_addresses);
  use(*settings);
  const auto former = std::exchange(settings_, settings);
  server_.on_settings(settings_->core(), now, output_);
}

// Applies the settings to the parts beside the server.
void Worker::use(const Settings& settings) {
  clients_.use(settings);
  tcp_relays_.use(settings.values.limits);
  pacing_.set_delay(settings.batching_delay);
}

// They are joined only after the answers to ConnectionBind have been sent.
void Worker::settle_tcp_relays(TimePoint now) {
  tcp_relays_.join(clients_.streams(), now);
  for (const turn::ConnectionId id : tcp_relays_.take_closed()) server_.on_peer_closed(id);
}

std::uint64_t Worker::out_of_memory() const {
  return counters_.out_of_memory + server_.counters().out_of_memory + clients_.out_of_memory() +
         tcp_relays_.counters().out_of_memory;
}

// Work for which there is no memory is lost. The datagrams and messages that it refers to are released with
// it.
void Worker::flush(TimePoint now) {
  carry_out(now);
  attempt([&] { warn(now); });  // a failure here must not leave the output, or it would be carried out twice
  output_.clear();
  received_.reset();
  clients_.release_received();
}

void Worker::warn(TimePoint now) {
  if (out_of_memory() != 0) warnings_.warn_about_memory();
  if (output_.limits_reached() != 0) warnings_.warn_about_limits(output_.limits_reached(), now.steady);
  if (const std::uint32_t met = tcp_relays_.take_limits_reached(); met != 0) {
    warnings_.warn_about_slowing(met, now.steady);
  }
}

void Worker::carry_out(TimePoint now) {
  attempt([&] {
    for (const turn::ConnectionId id : tcp_relays_.take_failed()) {
      server_.on_connected(id, false, now, output_);
    }
  });
  // This comes before the answers: a client that learns of its allocation may at once open another
  // connection, and the first one must no longer count as a connection without an allocation.
  clients_.follow_allocations(output_.lifetimes(), now);
  pacing_.add_flows(outbox_.send(output_, now));
  attempt([&] { settle_tcp_relays(now); });
  // This comes after all answers, so that a connection that has ended gets its last one.
  attempt([&] { clients_.remove_ended([&](const FiveTuple& tuple) { on_client_closed(tuple, now); }); });
  // The ports of these clients are free before the log says so.
  output_.close_relays();
  for (const FiveTuple& tuple : output_.left()) {
    if (!server_.knows(tuple)) attempt([&] { roaming_.forget_guest(tuple); });
  }
  attempt([&] {
    event_log_.log(output_.lifetimes());
    event_log_.log(output_.refusals(), now.steady);
  });
}

}  // namespace turnpike::relay
