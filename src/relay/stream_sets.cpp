#include "relay/stream_sets.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace turnpike::relay {
namespace {

constexpr std::uint32_t kReading = EPOLLIN | EPOLLRDHUP;

std::uint64_t tag_of(const FiveTuple& tuple) {
  return EventTag{EventKind::connection, static_cast<std::uint64_t>(tuple.path)}.pack();
}

std::uint32_t events_of(bool watches_output) {
  return kReading | (watches_output ? std::uint32_t{EPOLLOUT} : 0);
}

}  // namespace

StreamSets::StreamSets(net::Epoll& epoll) : epoll_(epoll) {
  if (!epoll_.add(handshakes_.fd(), EventTag{EventKind::handshakes}.pack(), EPOLLIN))
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

bool StreamSets::add(const StreamConnection& connection) {
  return set_of(connection)
      .add(connection.stream.fd(), tag_of(connection.tuple), events_of(connection.watches_output));
}

bool StreamSets::remove(const StreamConnection& connection) {
  return set_of(connection).remove(connection.stream.fd());
}

bool StreamSets::move_to_handshakes(StreamConnection& connection, bool in_handshake) {
  if (!remove(connection)) return false;
  connection.in_handshake = in_handshake;
  return add(connection);
}

void StreamSets::watch_output(StreamConnection& connection) {
  const bool watches = connection.stream.has_waiting() || connection.stream.holds_octets();
  if (connection.has_ended || connection.watches_output == watches) return;
  connection.watches_output = watches;
  set_of(connection)
      .modify(connection.stream.fd(), tag_of(connection.tuple), events_of(connection.watches_output));
}

std::optional<StreamSets::Event> StreamSets::next_handshake() const {
  std::array<epoll_event, 1> first;
  if (handshakes_.wait(first, 0).empty()) return std::nullopt;
  return Event{EventTag::unpack(first[0].data.u64), first[0].events};
}

}  // namespace turnpike::relay
