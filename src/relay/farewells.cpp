#include "relay/farewells.hpp"

#include <sys/epoll.h>

namespace turnpike::relay {
namespace {

constexpr Duration kFarewell = std::chrono::seconds(30);  // the time that an end has to close its side

}  // namespace

void Farewells::add(PeerConnectionEvent which, net::Stream stream, net::StreamBuffers& buffers,
                    TimePoint now) {
  using State = net::Stream::State;
  which.leaving = true;
  const Key key = which.tag().number;
  end(key);  // an earlier connection may have had the same number
  if (leaving_.size() >= most_) end(deadlines_.first());
  leaving_.reserve(leaving_.size() + 1);
  auto leaving = std::make_unique<Leaving>(std::move(stream));
  if (leaving->stream.close_cleanly(buffers) == State::ended || !watch(*leaving, key)) return;
  if (which.side == Side::peer) leaving->place.emplace(peers_, leaving->stream.fd());
  deadlines_.set(key, leaving->deadline, now.steady + kFarewell);
  leaving_.emplace(key, std::move(leaving));
}

bool Farewells::watch(const Leaving& leaving, Key key) {
  const std::uint32_t events =
      EPOLLIN | (leaving.stream.has_waiting() ? std::uint32_t{EPOLLOUT} : std::uint32_t{0});
  return epoll_.modify(leaving.stream.fd(), EventTag{EventKind::peer_connection, key}.pack(), events);
}

void Farewells::on_event(PeerConnectionEvent which, std::uint32_t events, net::StreamBuffers& buffers) {
  const Key key = which.tag().number;
  const auto found = leaving_.find(key);
  if (found != leaving_.end() && !go_on(*found->second, key, events, buffers)) end(key);
}

// Returns false when the connection has ended.
bool Farewells::go_on(Leaving& leaving, Key key, std::uint32_t events, net::StreamBuffers& buffers) {
  using State = net::Stream::State;
  net::Stream& stream = leaving.stream;
  if ((events & EPOLLOUT) != 0) {
    if (stream.send_waiting() == State::ended || stream.end_output() == State::ended) return false;
    if (!stream.has_waiting() && !watch(leaving, key)) return false;
  }
  if ((events & ~std::uint32_t{EPOLLOUT}) == 0) return true;
  Bytes dropped;
  buffers.reset();
  const State state = stream.receive_bytes(buffers, dropped);
  buffers.reset();
  return state == State::open;
}

void Farewells::end(Key key) {
  const auto found = leaving_.find(key);
  if (found == leaving_.end()) return;
  deadlines_.clear(key, found->second->deadline);
  leaving_.erase(found);
}

void Farewells::on_timeout(TimePoint now) {
  while (deadlines_.next() <= now.steady) end(deadlines_.first());
}

}  // namespace turnpike::relay
