// Connections of which the other end is gone (RFC 6062). What was relayed to one of them may still be on its
// way, and the kernel throws that away and resets the connection when it is closed before all was read that
// has come by it, or when more comes afterwards. So it is told that this was all, and what it sends is
// dropped until it has closed its side as well.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "net/epoll.hpp"
#include "net/stream.hpp"
#include "relay/event_tag.hpp"
#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::relay {

// Belongs to one worker and its thread.
class Farewells {
 public:
  // No limit of a user counts these connections. Where there are more than `most`, the one that has taken
  // longest is closed. The epoll set outlives this.
  explicit Farewells(net::Epoll& epoll, std::size_t most = 1024) : epoll_(epoll), most_(most) {}

  // Nothing waits to go out by the stream, whose descriptor is in the epoll set. It gets the events of
  // `which` with the mark that it takes leave.
  void add(PeerConnectionEvent which, net::Stream stream, net::StreamBuffers& buffers, TimePoint now);
  // An event with that mark.
  void on_event(PeerConnectionEvent which, std::uint32_t events, net::StreamBuffers& buffers);

  void on_timeout(TimePoint now);
  SteadyTime next_deadline() const { return deadlines_.next(); }

  std::size_t count() const { return leaving_.size(); }

 private:
  using Key = std::uint64_t;  // the number in the tag
  struct Leaving {
    explicit Leaving(net::Stream s) : stream(std::move(s)) {}

    net::Stream stream;
    SteadyTime deadline;
  };

  bool watch(const Leaving& leaving, Key key);
  bool go_on(Leaving& leaving, Key key, std::uint32_t events, net::StreamBuffers& buffers);
  void end(Key key);

  net::Epoll& epoll_;
  const std::size_t most_;
  boost::unordered_flat_map<Key, std::unique_ptr<Leaving>> leaving_;
  Deadlines<Key> deadlines_;
};

}  // namespace turnpike::relay
