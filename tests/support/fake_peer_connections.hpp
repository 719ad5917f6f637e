// PeerConnections without sockets. They record the requests in the order of the calls, and which client each
// connection waits for. All workers of a scenario share one FakePeers, as they share a table in the daemon.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/failing_new.hpp"
#include "turnpike/turn/peer_connections.hpp"

namespace turnpike::test {

struct FakePeers {
  enum class State { connecting, waiting, bound };
  struct Connection {
    State state = State::connecting;
    auth::Identity awaits;  // set when it waits
    FiveTuple client;       // set when it is bound
    Endpoint peer;          // of a connection that the client has requested
  };

  std::map<turn::ConnectionId, Connection> open;
  bool exhausted = false;
  bool has_no_memory = false;  // offer() throws std::bad_alloc
  std::uint32_t last_id = 0;

  // A connection that a peer has begun.
  turn::ConnectionId add() {
    open[turn::ConnectionId{++last_id}] = {};
    return turn::ConnectionId{last_id};
  }
};

class FakePeerConnections : public turn::PeerConnections {
 public:
  // `peers` must outlive this object.
  explicit FakePeerConnections(FakePeers& peers) : peers_(peers) {}

  std::optional<turn::ConnectionId> connect(turn::RelayId, const Endpoint& peer) override {
    const FailingNew::Pause pause;
    if (peers_.exhausted) return std::nullopt;
    const turn::ConnectionId id = peers_.add();
    peers_.open[id].peer = peer;
    return id;
  }
  void offer(turn::ConnectionId id, const auth::Identity& client, turn::SharedBudgets) override {
    const FailingNew::Pause pause;
    if (peers_.has_no_memory) throw std::bad_alloc();
    FakePeers::Connection& connection = peers_.open.at(id);
    connection.state = FakePeers::State::waiting;
    connection.awaits = client;
  }
  bool is_waiting(turn::ConnectionId id) override {
    const auto found = peers_.open.find(id);
    return found != peers_.open.end() && found->second.state == FakePeers::State::waiting;
  }
  std::optional<auth::Identity> awaited_by(turn::ConnectionId id) override {
    const auto found = peers_.open.find(id);
    if (found == peers_.open.end() || found->second.state != FakePeers::State::waiting) return std::nullopt;
    return found->second.awaits;
  }
  bool bind(turn::ConnectionId id, const auth::Identity& identity, const FiveTuple& client) override {
    const FailingNew::Pause pause;
    const auto found = peers_.open.find(id);
    if (found == peers_.open.end() || found->second.state != FakePeers::State::waiting ||
        !found->second.awaits.is_same(identity)) {
      return false;
    }
    found->second.state = FakePeers::State::bound;
    found->second.client = client;
    return true;
  }
  bool close_unbound(turn::ConnectionId id) override {
    if (peers_.open.at(id).state == FakePeers::State::bound) return false;
    peers_.open.erase(id);
    return true;
  }
  void close(turn::ConnectionId id) override { peers_.open.erase(id); }

 private:
  FakePeers& peers_;
};

}  // namespace turnpike::test
