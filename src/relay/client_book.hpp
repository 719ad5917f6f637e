// The connections of one client transport: their numbers, whether they have an allocation or have ended, and
// when each of them has to be examined next.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "relay/idle_connections.hpp"
#include "relay/lazy_deadlines.hpp"
#include "relay/slot_map.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::relay {

// What the book knows of a connection, which derives from it.
struct ClientConnection : LazyDeadline {
  FiveTuple tuple;      // its path is the number in the book
  SteadyTime deadline;  // SteadyTime::max() with an allocation
  bool has_allocation = false;
  bool is_counted = false;  // among the idle connections, while it has no allocation
  bool has_ended = false;
};

template <class Connection>
class ClientBook {
 public:
  // `idle` must outlive this object.
  explicit ClientBook(IdleConnections& idle) : idle_(idle) {}

  // Makes a connection with its own number. When this throws std::bad_alloc, nothing has changed. `prepare`
  // gets the connection, and may throw or return false; the connection is then removed again, and in the
  // second case this returns null. add() must follow.
  template <class Prepare, class... Arguments>
  Connection* make(Prepare&& prepare, Arguments&&... arguments) {
    // Reserves memory here, so that end() needs none.
    if (ended_.capacity() <= deadlines_.size()) ended_.reserve(2 * deadlines_.size() + 16);
    const PathId number = connections_.claim();
    try {
      Connection& made = connections_.emplace(number, std::forward<Arguments>(arguments)...);
      if (prepare(made, number)) return &made;
    } catch (...) {
      connections_.free(number);
      throw;
    }
    connections_.free(number);
    return nullptr;
  }
  void add(Connection& connection, SteadyTime deadline) {
    connection.deadline = deadline;
    deadlines_.add(connection, deadline);
  }

  // A connection that has not ended, or null.
  Connection* find(PathId number) const {
    Connection* connection = connections_.find(number);
    return connection && !connection->has_ended ? connection : nullptr;
  }
  // The connection of this client, even if it has ended. Null when the tuple belongs to another worker, which
  // may use the same number.
  Connection* find_last(const FiveTuple& tuple) const {
    Connection* connection = connections_.find(tuple.path);
    return connection && connection->tuple == tuple ? connection : nullptr;
  }
  template <class Visitor>
  void for_each(Visitor&& visit) {
    connections_.for_each(std::forward<Visitor>(visit));
  }
  std::size_t size() const { return deadlines_.size(); }

  // Records whether the connection has an allocation. With one it has no deadline and does not count as idle;
  // without one its deadline is `deadline`. Returns the connection, or null when nothing has changed. Throws
  // std::bad_alloc.
  Connection* set_allocation(const FiveTuple& tuple, bool has_allocation, SteadyTime deadline) {
    Connection* connection = find_last(tuple);
    if (!connection || connection->has_ended || connection->has_allocation == has_allocation) return nullptr;
    if (!has_allocation) idle_.add(tuple.client.address);  // first, since it may find no memory
    connection->has_allocation = has_allocation;
    if (has_allocation) idle_.release(tuple.client.address);
    connection->deadline = has_allocation ? SteadyTime::max() : deadline;
    return connection;
  }

  // Returns false when the connection has ended already.
  bool end(Connection& connection) {
    if (std::exchange(connection.has_ended, true)) return false;
    ended_.push_back(connection.tuple);
    return true;
  }
  std::span<const FiveTuple> ended() const { return ended_; }
  // Calls `visit` for each connection that has ended, and frees it even when that throws.
  template <class Visitor>
  void remove_ended(Visitor&& visit) {
    struct Freed {
      ~Freed() { book.free(connection); }
      ClientBook& book;
      Connection& connection;
    };
    while (!ended_.empty()) {
      const Freed freed{*this, *connections_.find(ended_.back().path)};
      ended_.pop_back();
      visit(freed.connection);
    }
  }
  void free(Connection& connection) {
    if (connection.is_counted && !connection.has_allocation) idle_.release(connection.tuple.client.address);
    deadlines_.remove(connection);
    connections_.free(connection.tuple.path);
  }

  LazyDeadlines<Connection>& deadlines() { return deadlines_; }
  const LazyDeadlines<Connection>& deadlines() const { return deadlines_; }

 private:
  IdleConnections& idle_;
  SlotMap<Connection, PathId> connections_;
  LazyDeadlines<Connection> deadlines_;  // is destroyed first, since it refers to the connections
  std::vector<FiveTuple> ended_;
};

}  // namespace turnpike::relay
