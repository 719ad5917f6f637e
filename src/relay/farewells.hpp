// Ends connections whose other end has closed (RFC 6062). Data that were relayed to such a connection may
// still be on their way. If the connection were closed before everything received on it was read, or if more
// were received afterwards, the kernel would discard these data and reset the connection. Therefore only our
// direction is closed, and everything received is dropped until the other side has closed as well.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "net/epoll.hpp"
#include "net/stream.hpp"
#include "relay/event_tag.hpp"
#include "relay/leaving_peers.hpp"
#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::relay {

// Belongs to one worker and its thread.
class Farewells {
 public:
  // These connections count for no limit of a user. When there are more than `most`, the oldest one is
  // closed. `peers` gets those with peers. The references outlive this.
  Farewells(net::Epoll& epoll, LeavingPeers& peers, std::size_t most = 1024)
      : epoll_(epoll), peers_(peers), most_(most) {}

  // The descriptor of the stream must be in the epoll set, and no octets may wait to be sent. The stream gets
  // the events of `which` with the mark `leaving`.
  void add(PeerConnectionEvent which, net::Stream stream, net::StreamBuffers& buffers, TimePoint now);
  // Takes an event with that mark.
  void on_event(PeerConnectionEvent which, std::uint32_t events, net::StreamBuffers& buffers);

  void on_timeout(TimePoint now);
  SteadyTime next_deadline() const { return deadlines_.next(); }

  std::size_t count() const { return leaving_.size(); }

 private:
  using Key = std::uint64_t;  // the number in the tag
  struct Leaving {
    explicit Leaving(net::Stream s) : stream(std::move(s)) {}

    net::Stream stream;
    std::optional<LeavingPeers::Place> place;  // of a connection with a peer
    SteadyTime deadline;
  };

  bool watch(const Leaving& leaving, Key key);
  bool go_on(Leaving& leaving, Key key, std::uint32_t events, net::StreamBuffers& buffers);
  void end(Key key);

  net::Epoll& epoll_;
  LeavingPeers& peers_;
  const std::size_t most_;
  boost::unordered_flat_map<Key, std::unique_ptr<Leaving>> leaving_;
  Deadlines<Key> deadlines_;
};

}  // namespace turnpike::relay
