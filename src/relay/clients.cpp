#include "relay/clients.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "net/udp_socket.hpp"

namespace turnpike::relay {

Clients::Clients(net::Epoll& epoll, WorkerListeners listeners, const Shared& shared, const Settings& settings,
                 crypto::Random& random, net::SendCounters& sends)
    : udp_(std::move(listeners.datagrams), random, sends),
      streams_(epoll, std::move(listeners.streams), shared.streams, settings.streams),
      associations_({udp_.listeners(), udp_.proxied()}, shared.associations, settings.streams, random,
                    sends) {
  for (std::size_t i = 0; i < udp_.listeners().size(); ++i) {
    const int fd = udp_.listeners()[i].socket.get();
    net::allow_received_runs(fd);
    if (!epoll.add(fd, EventTag{EventKind::datagram_listener, i}.pack(), EPOLLIN))
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  use(settings);
}

std::vector<ClientTransport*> Clients::list_all() {
  std::vector<ClientTransport*> all;
  for (const Transport transport : kTransports) {
    if (std::ranges::find(all, &of(transport)) == all.end()) all.push_back(&of(transport));
  }
  return all;
}

bool Clients::is_dtls(const ListenerSocket& listener, Bytes datagram) const {
  return listener.transport == Transport::dtls || (associations_.can_begin() && net::is_dtls(datagram));
}

void Clients::send() {
  for (ClientTransport* transport : all_) transport->send();
}

void Clients::release_received() {
  for (ClientTransport* transport : all_) transport->release_received();
}

void Clients::on_timeout(TimePoint now) {
  for (ClientTransport* transport : all_) {
    if (transport->next_deadline() > now.steady) continue;
    attempt(out_of_memory_, [&] { transport->on_timeout(now); });
  }
}

SteadyTime Clients::next_deadline() const {
  SteadyTime next = SteadyTime::max();
  for (const ClientTransport* transport : all_) next = std::min(next, transport->next_deadline());
  return next;
}

void Clients::use(const Settings& settings) {
  for (ClientTransport* transport : all_) transport->use(settings);
}

void Clients::add_counters_to(Totals& totals) const {
  for (const ClientTransport* transport : all_) transport->add_counters_to(totals);
  totals.add(WorkerCounters{.out_of_memory = out_of_memory_, .dtls_lost = {}});
}

std::uint64_t Clients::out_of_memory() const {
  std::uint64_t sum = out_of_memory_;
  for (const ClientTransport* transport : all_) sum += transport->out_of_memory();
  return sum;
}

void Clients::follow_allocations(const std::vector<turn::Output::Lifetime>& lifetimes, TimePoint now) {
  using Kind = turn::Output::Lifetime::Kind;
  for (const turn::Output::Lifetime& lifetime : lifetimes) {
    if (lifetime.kind == Kind::moved)
      attempt(out_of_memory_, [&] { set_allocation(lifetime.former, false, now); });
    attempt(out_of_memory_, [&] { set_allocation(lifetime.tuple, lifetime.kind != Kind::deleted, now); });
  }
}

}  // namespace turnpike::relay
