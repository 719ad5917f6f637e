#include "relay/peer_acceptor.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/descriptor_reserve.hpp"

namespace turnpike::relay {
namespace {

constexpr Duration kDeafness{100};  // the pause when no descriptor is left even to refuse a peer

// When strangers have taken the former spare's number, there may be none for a while.
net::Fd open_spare() { return net::unless_reserved(net::Fd(open("/dev/null", O_RDONLY | O_CLOEXEC))); }

}  // namespace

PeerAcceptor::PeerAcceptor(net::Epoll& epoll, const RelaySockets& relays, TcpRelayCounters& counters)
    : epoll_(epoll), relays_(relays), counters_(counters), spare_(open_spare()) {}

std::optional<net::Accepted> PeerAcceptor::accept(RelayEvent listener, TimePoint now) {
  std::optional<net::Accepted> accepted = net::accept_tcp(listener.fd);
  if (!accepted && net::is_exhaustion(errno)) refuse_peer(listener, now);
  return accepted;
}

// A peer that is not accepted keeps the listener readable, so it is accepted and closed with the spare
// descriptor. This can fail: another thread may take the descriptor, or memory may be missing. Then the
// listener pauses. When only the reserve was left, the peer is closed already, and the next one meets the
// spare, if one waits.
void PeerAcceptor::refuse_peer(RelayEvent listener, TimePoint now) {
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

void PeerAcceptor::listen_again() {
  listen_again_at_ = SteadyTime::max();
  for (const RelayEvent& listener : std::exchange(paused_listeners_, {})) {
    // The descriptor may belong to another relay now.
    const bool is_there = relays_.role_of(listener.relay, listener.fd) == RelaySockets::Role::tcp_listener;
    if (is_there) epoll_.modify(listener.fd, listener.tag().pack(), EPOLLIN);
  }
}

}  // namespace turnpike::relay
