#include "relay/worker.hpp"

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>

#include "net/udp_socket.hpp"
#include "relay/clock.hpp"

namespace turnpike::relay {
namespace {

constexpr std::size_t kEventsPerWait = 64;
constexpr std::size_t kPoolSlots = 256;
constexpr int kAcceptsPerRelay = 16;
constexpr std::size_t kMaxInMail = 1 << 16;  // octets; then another mail begins
// Of datagrams or runs. The bound keeps one flow from delaying the others. A client by TCP or TLS gets all of
// them with one send.
constexpr std::size_t kDatagramsPerRelay = 16;

// Tags of what is waited for, in the top two bits: listeners with their index, relays with their number and a
// descriptor, neither of which needs all of 31 bits. Streams have tags of their own.
constexpr std::uint64_t kStreamTag = 0;
constexpr std::uint64_t kListenerTag = std::uint64_t{1} << 62;
constexpr std::uint64_t kRelayTag = std::uint64_t{2} << 62;
constexpr std::uint64_t kOtherTag = std::uint64_t{3}
                                    << 62;  // TCP relays, by tags of their own, and these two:
constexpr std::uint64_t kWakeTag = kOtherTag | 0;
constexpr std::uint64_t kMailTag = kOtherTag | 1;
constexpr std::uint64_t kTagMask = std::uint64_t{3} << 62;
constexpr int kDescriptorBits = 31;
constexpr std::uint64_t kDescriptorMask = (std::uint64_t{1} << kDescriptorBits) - 1;

// Whether what a client gets goes through something of one worker's: a connection, an association, or the
// flow of a load balancer.
bool has_connection(const FiveTuple& tuple) {
  return tuple.transport != Transport::udp || ProxiedClients::is_proxied(tuple.connection);
}

constexpr unsigned long kTimerSlack = 1'000;  // ns; 50,000 by default, which would make pauses uneven

std::chrono::nanoseconds monotonic_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

void sleep_for(std::chrono::nanoseconds duration) {
  const timespec time{0, duration.count()};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

net::Fd require(int fd, const char* call) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), call);
  return net::Fd(fd);
}

}  // namespace

template <class Act>
bool Worker::attempt(Act&& act) {
  try {
    act();
    return true;
  } catch (const std::bad_alloc&) {
    ++counters_.out_of_memory;
    return false;
  }
}

Worker::Worker(const Shared& shared, unsigned number, WorkerListeners listeners)
    : number_(number),
      epoll_(require(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(require(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      warnings_(shared.warnings),
      pacer_(shared.settings->batching_delay),
      mailboxes_(shared.mailboxes),
      mailbox_(shared.mailboxes[number]),
      listeners_(std::move(listeners.datagrams)),
      event_log_(number, shared.hints),
      to_workers_(shared.mailboxes.size()),
      received_(kPoolSlots),
      streams_(epoll_.get(), std::move(listeners.streams), shared.streams, shared.settings->streams),
      proxied_(crypto::draw_hash_key(random_)),
      associations_({listeners_, proxied_}, shared.associations, shared.settings->streams, random_, sends_),
      relays_(shared.relays, random_, *this, static_cast<std::uint16_t>(number)),
      tcp_relays_(epoll_.get(), number, relays_, random_,
                  {shared.peer_connections, shared.mailboxes, shared.server_budgets}),
      roaming_(number, shared.mailboxes, crypto::draw_hash_key(random_)),
      settings_(shared.settings),
      server_({
          .credentials = *settings_->credentials,
          .policy = *settings_->policy,
          .ports = relays_,
          .quota = shared.quota,
          .connection_quota = shared.connection_quota,
          .limiters = shared.limiters,
          .random = random_,
          .connections = shared.relays_tcp ? &tcp_relays_ : nullptr,
          .mobile = {.enabled = shared.mobility,
                     .worker = static_cast<std::uint16_t>(number),
                     .workers = static_cast<std::uint16_t>(shared.mailboxes.size())},
          .limits = settings_->limits,
          .nonce_key = shared.nonce_key,
          .nonce_lifetime = settings_->nonce_lifetime,
          .nat_discoveries = shared.nat_discoveries,
          .alternates = &settings_->alternates,
          .draining = settings_->draining,
          .clients = settings_->clients.get(),
          .default_family = settings_->default_family,
          .strict_expiry = settings_->strict_expiry,
          .address_quota = &shared.address_quota,
          .server_budgets = &shared.server_budgets,
      }) {
  use(*settings_);
  if (!watch(wake_.get(), kWakeTag) || !watch(mailbox_.fd(), kMailTag))
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  // What a pass usually needs is there before there is no memory.
  output_.reserve(kPoolSlots);
  by_relay_.reserve(kPoolSlots);
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
    net::allow_received_runs(listeners_[i].socket.get());
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
  net::allow_received_runs(fd);
  return watch(
      fd, kRelayTag | static_cast<std::uint64_t>(relay) << kDescriptorBits | static_cast<std::uint64_t>(fd));
}

bool Worker::watch(int fd, std::uint64_t tag) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = tag}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

int Worker::timeout_ms(SteadyTime now) const {
  const SteadyTime deadline =
      std::min({server_.next_deadline(), streams_.next_deadline(), associations_.next_deadline(),
                tcp_relays_.next_deadline(), event_log_.next_deadline(), proxied_.next_deadline()});
  if (deadline == SteadyTime::max()) return -1;
  if (deadline <= now) return 0;
  const auto wait = (deadline - now).count();
  return static_cast<int>(std::clamp<Duration::rep>(wait, 0, 60'000));
}

void Worker::add_counters_to(Totals& totals) const {
  totals.add(server_.counters());
  totals.breakdown += server_.breakdown();
  totals.histograms += histograms_;
  totals.histograms.received_runs += received_.runs();
  totals.histograms.sent_runs += batch_.runs();
  totals.add(sends_);
  totals.add(streams_.counters());
  totals.add(streams_.stream_counters());
  totals.add(associations_.counters());
  totals.add(associations_.dtls_counters());
  totals.add(proxied_.counters());
  totals.add(tcp_relays_.counters());
  totals.add(relays_.counters());
  totals.add(mailbox_.counters());
  totals.add(WorkerCounters{.out_of_memory = counters_.out_of_memory, .dtls_lost = associations_.lost()});
}

void Worker::run() {
  prctl(PR_SET_TIMERSLACK, kTimerSlack, 0UL, 0UL, 0UL);
  prctl(PR_SET_NAME, std::string("worker-").append(std::to_string(number_)).c_str(), 0UL, 0UL, 0UL);
  std::array<epoll_event, kEventsPerWait> events;
  TimePoint now = read_clocks();
  while (!stopping_.load(std::memory_order_relaxed)) {
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms(now.steady));
    const std::chrono::nanoseconds began = monotonic_now();
    const std::uint64_t relayed = relayed_so_far();
    now = read_clocks();
    expire(now);
    for (int i = 0; i < count; ++i) {
      attempt([&] { on_event(events[static_cast<std::size_t>(i)], now); });
    }
    flush(now);
    pause_after(relayed_so_far() - relayed, began);
  }
}

// The datagrams that came in and were relayed. One from relay to relay here came in once, and is counted
// twice.
std::uint64_t Worker::relayed_so_far() const {
  const turn::Counters& counters = server_.counters();
  return counters.to_peer + counters.to_client - counters.relay_to_relay;
}

void Worker::pause_after(std::uint64_t relayed, std::chrono::nanoseconds pass_began) {
  const std::chrono::nanoseconds now = monotonic_now();
  histograms_.pass_ns.count(static_cast<std::uint64_t>((now - pass_began).count()));
  histograms_.pass_datagrams.count(relayed);
  const std::chrono::nanoseconds pause = pacer_.pause(relayed, now);
  if (pause.count() == 0) return;
  sleep_for(pause);
  histograms_.pause_ns.count(static_cast<std::uint64_t>((monotonic_now() - now).count()));
}

// First in each pass, so that no request revives what has just expired.
void Worker::expire(TimePoint now) {
  if (server_.next_deadline() <= now.steady) {
    attempt([&] { server_.on_timeout(now, output_); });
    output_.close_relays();  // at once: nothing is waiting to go out yet, and the ports can be had again
  }
  if (streams_.next_deadline() <= now.steady) attempt([&] { streams_.on_timeout(now); });
  if (associations_.next_deadline() <= now.steady) attempt([&] { associations_.on_timeout(now); });
  if (tcp_relays_.next_deadline() <= now.steady) attempt([&] { tcp_relays_.on_timeout(now); });
  if (event_log_.next_deadline() <= now.steady) attempt([&] { event_log_.on_timeout(); });
  if (proxied_.next_deadline() <= now.steady) proxied_.on_timeout(now.steady);
}

void Worker::on_event(const epoll_event& event, TimePoint now) {
  const std::uint64_t what = event.data.u64 & ~kTagMask;
  switch (event.data.u64 & kTagMask) {
    case kStreamTag: return on_stream(what, event.events, now);
    case kListenerTag: return on_listener(static_cast<std::uint32_t>(what), now);
    case kRelayTag:
      return on_relay(turn::RelayId(what >> kDescriptorBits), static_cast<int>(what & kDescriptorMask),
                      event.events, now);
    default:
      if (TcpRelays::is_tag(event.data.u64)) return on_tcp_relay(event.data.u64, event.events, now);
      if (event.data.u64 == kMailTag) take_mail(now);
      return;  // or woken to see that it is to stop
  }
}

// Level-triggered: what a full pool leaves behind is reported again.
void Worker::on_listener(std::uint32_t index, TimePoint now) {
  const ListenerSocket& listener = listeners_[index];
  if (received_.free_slots() < kPoolSlots / 2) flush(now);
  const auto datagrams = received_.receive(listener.socket.get(), received_.free_slots());
  if (listener.is_behind_balancers()) {
    for (const net::ReceivedDatagram& datagram : datagrams) {
      attempt([&] { on_balancer(index, datagram, now); });
    }
    return;
  }
  for (const net::ReceivedDatagram& datagram : datagrams) {
    if (is_dtls(listener, datagram.payload)) {
      attempt([&] { on_dtls(index, datagram, now); });
    } else {
      on_client({datagram.from, listener.reached_by(datagram), Transport::udp, index}, datagram.payload, now);
    }
  }
}

bool Worker::is_dtls(const ListenerSocket& listener, Bytes datagram) const {
  return listener.transport == Transport::dtls || (associations_.can_begin() && net::is_dtls(datagram));
}

// From here on it is as if the client that the balancer speaks for had sent the rest of the datagram.
void Worker::on_balancer(std::uint32_t listener, const net::ReceivedDatagram& datagram, TimePoint now) {
  const ListenerSocket& at = listeners_[listener];
  const FiveTuple route{datagram.from, at.reached_by(datagram), Transport::udp, listener};
  const auto arrival = proxied_.receive(at.balancers, route, datagram.payload, now.steady);
  if (!arrival) return;
  const std::size_t header = arrival->header_size;
  const net::ReceivedDatagram own{arrival->tuple.client, datagram.to, datagram.payload.subspan(header),
                                  datagram.slot.subspan(header)};
  if (is_dtls(at, own.payload)) {
    on_dtls(arrival->tuple.connection, own, now);
  } else {
    on_client(arrival->tuple, own.payload, now);
  }
}

void Worker::on_dtls(std::uint64_t connection, const net::ReceivedDatagram& datagram, TimePoint now) {
  const Associations::Received received = associations_.receive(connection, datagram, now);
  // Before the new one asks for what the old one still holds.
  if (received.replaced) on_client_closed(*received.replaced, now);
  for (const Bytes message : received.messages) on_client(received.tuple, message, now);
}

void Worker::on_stream(std::uint64_t tag, std::uint32_t events, TimePoint now) {
  if (Streams::is_listener(tag)) return streams_.on_listener(tag, now);
  if (!streams_.can_receive()) flush(now);
  Streams::Received received;
  if (!attempt([&] { received = streams_.on_event(tag, events, now); })) return streams_.give_up();
  for (const Bytes message : received.messages) on_client(received.tuple, message, now);
}

void Worker::on_client(const FiveTuple& tuple, Bytes message, TimePoint now) {
  attempt([&] {
    if (roaming_.forward(tuple, message)) return;
    server_.on_client(tuple, message, now, output_);
    if (!output_.forwards().empty()) begin_forwards(now);
  });
}

// At once: what the client says next in the same pass goes the same way.
void Worker::begin_forwards(TimePoint now) {
  for (const turn::Output::Forward& forward : output_.forwards()) {
    if (roaming_.begin(forward)) set_allocation(forward.tuple, true, now);
  }
  output_.clear_forwards();
}

void Worker::on_relay(turn::RelayId relay, int fd, std::uint32_t events, TimePoint now) {
  const RelaySockets::Role role = relays_.role_of(relay, fd);
  if (role == RelaySockets::Role::none) return;
  if (role == RelaySockets::Role::tcp_listener) return accept_peers(relay, fd, now);
  if ((events & EPOLLERR) != 0) take_relay_errors(relay, fd, now);
  if ((events & EPOLLIN) == 0) return;
  if (received_.free_slots() < kDatagramsPerRelay) flush(now);
  for (const net::ReceivedDatagram& datagram : received_.receive(fd, kDatagramsPerRelay)) {
    attempt([&] { server_.on_peer(relay, datagram.from, datagram.payload, now, output_); });
  }
}

void Worker::accept_peers(turn::RelayId relay, int fd, TimePoint now) {
  for (int i = 0; i < kAcceptsPerRelay; ++i) {
    const auto accepted = tcp_relays_.accept(fd);
    if (!accepted) return;
    bool stays = false;
    attempt([&] { stays = server_.on_accepted(relay, accepted->id, accepted->from, now, output_); });
    if (!stays) tcp_relays_.close(accepted->id);
  }
}

void Worker::on_tcp_relay(std::uint64_t tag, std::uint32_t events, TimePoint now) {
  const auto connected = tcp_relays_.on_event(tag, events, now);
  if (connected) server_.on_connected(connected->id, connected->connected, now, output_);
}

void Worker::on_client_closed(const FiveTuple& tuple, TimePoint now) {
  if (!roaming_.on_closed(tuple)) server_.on_client_closed(tuple, now, output_);
}

// Carried out before the mail is gone, which the output views.
void Worker::take_mail(TimePoint now) {
  const std::vector<Mail> all = mailbox_.take();
  for (const Mail& mail : all) {
    attempt([&] { std::visit([&](const auto& each) { take(each, now); }, mail); });
  }
  flush(now);
}

void Worker::take(const PeerClosed& mail, TimePoint) { server_.on_peer_closed(mail.connection); }

void Worker::take(const CloseDataConnection& mail, TimePoint) {
  tcp_relays_.close_data_connection(mail.connection);
}

void Worker::take(const FromClient& mail, TimePoint now) {
  // What comes after the end of an allocation is for the worker that the client has come to.
  if (!mail.begins && !server_.knows(mail.tuple)) return roaming_.send_back(mail);
  roaming_.add_guest(mail.tuple, mail.worker);
  server_.on_client(mail.tuple, mail.message, now, output_);
  if (!output_.forwards().empty()) {  // to a third one, which has to know where the client really comes to
    output_.clear_forwards();
    roaming_.send_back(mail);
  }
  output_.leave(mail.tuple);  // where that is so
}

void Worker::take(const Returned& mail, TimePoint now) {
  if (roaming_.forget(mail.tuple, mail.worker)) set_allocation(mail.tuple, false, now);
  if (!mail.message.empty()) on_client(mail.tuple, mail.message, now);
}

void Worker::take(const ClientClosed& mail, TimePoint now) {
  server_.on_client_closed(mail.tuple, now, output_);
  output_.leave(mail.tuple);
}

void Worker::take(const ToClient& mail, TimePoint) {
  add_to_connection({.tuple = mail.tuple, .payload = {}}, mail.message);
}

void Worker::take(const FromRelays& mail, TimePoint now) {
  for (const FromRelays::Datagram& datagram : mail.datagrams()) {
    attempt(
        [&] { server_.on_relayed(datagram.relayed, datagram.from, mail.payload(datagram), now, output_); });
  }
}

void Worker::take(const ForgetClient& mail, TimePoint now) {
  if (roaming_.forget(mail.tuple, mail.worker)) set_allocation(mail.tuple, false, now);
}

// The addresses first: of an own address the policy asks which relayed addresses are live.
// The server may look at what it had before until it has been told.
void Worker::take(const SettingsUpdate& mail, TimePoint now) {
  relays_.use(mail.settings->relay_addresses);
  use(*mail.settings);
  const auto former = std::exchange(settings_, mail.settings);
  server_.on_settings(settings_->core(), now, output_);
}

// What the parts beside the server take of the settings.
void Worker::use(const Settings& settings) {
  streams_.use(settings.streams, settings.clients.get());
  associations_.use(settings.streams, settings.clients.get());
  tcp_relays_.use(settings.limits);
  pacer_.set_delay(settings.batching_delay);
}

void Worker::take(const ListAllocations& mail, TimePoint now) { mail.answer(server_.list_allocations(now)); }

void Worker::take(const EndAllocation& mail, TimePoint now) {
  mail.answer(server_.end_allocation(mail.number, now, output_));
}

void Worker::take(const ShowLife& mail, TimePoint) { mail.answer(); }

// Joined only when the answers to ConnectionBind are out.
void Worker::settle_tcp_relays() {
  tcp_relays_.join(streams_);
  for (const turn::ConnectionId id : tcp_relays_.take_closed()) server_.on_peer_closed(id);
}

// An error that is left in the queue would be reported for ever, and would fail the next send, whomever that
// is for.
void Worker::take_relay_errors(turn::RelayId relay, int fd, TimePoint now) {
  while (const auto error = net::take_error(fd)) {
    if (error->icmp) server_.on_icmp(relay, error->peer, *error->icmp, now, output_);
  }
}

std::uint64_t Worker::out_of_memory() const {
  return counters_.out_of_memory + server_.counters().out_of_memory + streams_.counters().out_of_memory +
         associations_.counters().out_of_memory + tcp_relays_.counters().out_of_memory;
}

// Whatever cannot be carried out for want of memory is lost, and what it views is given up with it.
void Worker::flush(TimePoint now) {
  carry_out(now);
  if (out_of_memory() != 0) warnings_.out_of_memory();
  if (output_.limits_reached() != 0) warnings_.limits(output_.limits_reached(), now.steady);
  output_.clear();
  received_.reset();
  streams_.release_received();
  associations_.release_received();
}

void Worker::carry_out(TimePoint now) {
  attempt([&] {
    for (const turn::ConnectionId id : tcp_relays_.take_failed()) {
      server_.on_connected(id, false, now, output_);
    }
  });
  // Before the answers: whoever is told of an allocation may connect again at once.
  follow_allocations(now);
  attempt([&] { send_to_peers(); });
  attempt([&] { send_to_relays(); });
  // Relays are closed after the last datagram has gone out through them, because their numbers are
  // descriptors and may soon belong to another relay. They are closed before a client hears that its
  // allocation is gone, because that client may ask any worker for the port.
  output_.clear_to_peers();
  output_.close_relays();
  attempt([&] { send_to_clients(); });
  attempt([&] { settle_tcp_relays(); });
  attempt([&] { part_with_ended(now); });
  for (const FiveTuple& tuple : output_.left()) {
    if (!server_.knows(tuple)) attempt([&] { roaming_.part_with(tuple); });
  }
  attempt([&] {
    event_log_.log(output_.lifetimes());
    event_log_.log(output_.refusals(), now.steady);
  });
}

// After all answers have gone out, the last one of a connection as well.
void Worker::part_with_ended(TimePoint now) {
  for (const FiveTuple& tuple : streams_.ended()) on_client_closed(tuple, now);
  streams_.remove_ended();
  for (const FiveTuple& tuple : associations_.ended()) on_client_closed(tuple, now);
  associations_.remove_ended();
}

// By relays, and for each in the order of arrival: what has one way to go goes it together.
void Worker::send_to_peers() {
  const std::vector<turn::Output::ToPeer>& messages = output_.to_peers();
  by_relay_.clear();
  for (std::uint64_t i = 0; i < messages.size(); ++i) {
    by_relay_.push_back(static_cast<std::uint64_t>(messages[i].relay) << 32 | i);
  }
  std::ranges::sort(by_relay_);
  for (const std::uint64_t key : by_relay_) {
    const turn::Output::ToPeer& message = messages[static_cast<std::uint32_t>(key)];
    if (message.dont_fragment) {
      batch_.send();
      send_dont_fragment(message);
    } else {
      const RelaySockets::Route route = relays_.route_to(message.relay, message.peer);
      batch_.add(route.fd, route.connected ? nullptr : &message.peer, {}, message.payload, 0, {});
    }
  }
  batch_.send();
}

void Worker::send_dont_fragment(const turn::Output::ToPeer& message) {
  sends_.count(net::send_dont_fragment(static_cast<int>(message.relay), message.peer, message.payload));
}

// The datagrams of a pass for one worker go as one mail. A long mail is sent before the pass ends.
void Worker::send_to_relays() {
  if (output_.to_relays().empty()) return;
  for (const turn::Output::ToRelay& message : output_.to_relays()) {
    FromRelays& mail = to_workers_[message.worker];
    mail.add(message);
    if (mail.size() >= kMaxInMail) mailboxes_[message.worker].post(std::exchange(mail, {}));
  }
  for (std::size_t worker = 0; worker < to_workers_.size(); ++worker) {
    FromRelays& mail = to_workers_[worker];
    if (!mail.datagrams().empty()) mailboxes_[worker].post(std::exchange(mail, {}));
  }
}

void Worker::send_to_clients() {
  for (const turn::Output::ToClient& message : output_.to_clients()) {
    if (has_connection(message.tuple)) {
      attempt([&] { send_on_connection(message); });
    } else {
      add_to_datagrams(message, message.tuple.client, output_.head(message));
    }
  }
  batch_.send();
  streams_.send();
  associations_.send();
}

void Worker::send_on_connection(const turn::Output::ToClient& message) {
  const Bytes head = output_.head(message);
  const bool with_another =
      roaming_.send(message.tuple, head, message.payload, message.padding, Streams::is_media(head));
  if (!with_another) add_to_connection(message, head);
}

void Worker::add_to_connection(const turn::Output::ToClient& message, Bytes head) {
  if (is_stream(message.tuple.transport)) {
    streams_.add(message, head);
  } else if (message.tuple.transport == Transport::dtls) {
    associations_.add(message, head);
  } else if (const Endpoint* balancer = proxied_.route_to(message.tuple.connection)) {
    add_to_datagrams(message, *balancer, head);
  }
}

void Worker::add_to_datagrams(const turn::Output::ToClient& message, const Endpoint& to, Bytes head) {
  const ListenerSocket& listener = listeners_[ProxiedClients::listener_of(message.tuple.connection)];
  batch_.add(listener.socket.get(), &to, head, message.payload, message.padding,
             listener.source(message.tuple.server));
}

void Worker::follow_allocations(TimePoint now) {
  using Kind = turn::Output::Lifetime::Kind;
  for (const turn::Output::Lifetime& lifetime : output_.lifetimes()) {
    if (lifetime.kind == Kind::moved) attempt([&] { set_allocation(lifetime.former, false, now); });
    attempt([&] { set_allocation(lifetime.tuple, lifetime.kind != Kind::deleted, now); });
  }
}

void Worker::set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now) {
  if (is_stream(tuple.transport)) streams_.set_allocation(tuple, has_allocation, now);
  if (tuple.transport == Transport::dtls) associations_.set_allocation(tuple, has_allocation, now);
  if (tuple.transport == Transport::udp) proxied_.set_allocation(tuple.connection, has_allocation);
}

}  // namespace turnpike::relay
