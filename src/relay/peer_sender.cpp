#include "relay/peer_sender.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/socket_calls.hpp"
#include "net/udp_socket.hpp"

namespace turnpike::relay {

// Datagrams are sorted by relay, and keep their order within each relay, so that those with the same route
// are sent together.
std::uint64_t PeerSender::send(const std::vector<turn::Output::ToPeer>& messages, TimePoint now) {
  by_relay_.clear();
  for (std::uint64_t i = 0; i < messages.size(); ++i) {
    by_relay_.push_back(static_cast<std::uint64_t>(messages[i].relay) << 32 | i);
  }
  std::ranges::sort(by_relay_);
  std::uint64_t flows = 0;
  std::uint64_t last_relay = UINT64_MAX;
  for (const std::uint64_t key : by_relay_) {
    const turn::Output::ToPeer& message = messages[static_cast<std::uint32_t>(key)];
    if (std::exchange(last_relay, key >> 32) != key >> 32) ++flows;
    if (message.dont_fragment) {
      batch_.send();
      send_dont_fragment(message, now);
    } else {
      const RelaySockets::Route route = relays_.route_to(message.relay, message.peer);
      batch_.add(route.fd, route.connected ? nullptr : &message.peer, {}, message.payload, 0, {});
    }
  }
  batch_.send();
  return flows;
}

// The error may belong to an earlier datagram to another peer. Then this datagram is sent again.
void PeerSender::send_dont_fragment(const turn::Output::ToPeer& message, TimePoint now) {
  const int fd = static_cast<int>(message.relay);
  const auto take_errors_after = [&](int error) {
    return take_errors(message.relay, fd, now, error == EMSGSIZE ? &message.peer : nullptr);
  };
  int error = net::send_dont_fragment(fd, message.peer, message.payload);
  if (error != 0 && error != EAGAIN && error != ENOBUFS && !take_errors_after(error)) {
    error = net::send_dont_fragment(fd, message.peer, message.payload);
    if (error == EMSGSIZE) take_errors_after(error);
  }
  sends_.count(error);
}

// An error that stays in the queue would be reported again and again, and would make the next send fail, to
// whatever peer. `kept_here` is the destination of a datagram that was just too large to be sent with DF set.
// A datagram that is too large without DF is not reported, since no path would take it. Returns whether one
// of the errors belongs to the datagram to `kept_here`.
bool PeerSender::take_errors(turn::RelayId relay, int fd, TimePoint now, const Endpoint* kept_here) {
  bool was_kept = false;
  bool was_empty = true;
  while (const auto error = net::take_error(fd)) {
    was_empty = false;
    was_kept |= kept_here && error->is_local;
    const Endpoint* const peer = error->is_local ? kept_here : &error->peer;
    if (peer && error->icmp) host_.on_icmp(relay, *peer, *error->icmp, now);
  }
  // The kernel queues an error before it stores it. When the entry was taken in between, the stored error is
  // left, and epoll would report it until the next datagram.
  if (was_empty) net::take_stored_error(fd);
  return was_kept;
}

}  // namespace turnpike::relay
