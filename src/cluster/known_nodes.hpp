// The latest records and orders that this node has received from the others. Everybody who can write to Redis
// can write again what a node has written earlier. Therefore records and orders are numbered: a number is the
// time of the node's clock in milliseconds since 1970, and no number is used twice.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/node_record.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

class KnownNodes {
 public:
  // A node that has not written for this time counts as absent.
  static constexpr std::chrono::seconds kLife{10};
  // The maximum age of an order, and the maximum by which the sender's clock may be ahead. It limits the
  // orders that can be repeated to a node that has just started and does not know what it received before.
  static constexpr std::chrono::minutes kMaxAge{5};

  enum class Verdict : std::uint8_t {
    fresh,
    old,       // it was received before, or something later was
    silent,    // a record that the node has not renewed for kLife, even if its key still exists
    untimely,  // an order that is too old, or of a clock that is too far from ours
    too_many,  // there are more nodes than this node accepts
  };

  // Checks a record or an order, and stores its number when the verdict is `fresh`.
  Verdict accept(const NodeRecord& record, TimePoint now);
  Verdict accept_order(const std::string& node, std::uint64_t number, TimePoint now);
  // The same for an order that Redis keeps for later nodes; it may be as old as kKept.
  static constexpr std::chrono::hours kKept{24};
  Verdict accept_kept_order(const std::string& node, std::uint64_t number, TimePoint now);

  // Returns the record that the node wrote less than kLife ago; null when there is none.
  const NodeRecord* latest_of(const std::string& name, SteadyTime now) const;
  // Whether two servers are configured with this name.
  bool is_used_twice(const std::string& name, SteadyTime now) const;
  // Returns the nodes that were present within a day and have not said that they leave. They may relay
  // without Redis.
  std::vector<std::string> possibly_running() const;
  void forget_long_gone(SteadyTime now);

 private:
  struct Heard {
    std::uint64_t number = 0;  // of the latest record
    std::uint64_t order = 0;   // of the latest order
    SteadyTime since{};        // when the latest new record was received, or kLife before the latest order
    std::optional<NodeRecord> record;  // empty when only an order was received
    // The starts of the server that wrote last and of the one before. A server that was restarted replaces
    // its former run for good. When the former one writes again, there are two servers.
    std::array<std::uint64_t, 2> began{};
    SteadyTime used_twice_until{};
  };
  Heard* find_or_add(const std::string& name);  // null when there is no room for another node
  Verdict accept_order(const std::string& node, std::uint64_t number, TimePoint now, Duration max_age);

  std::map<std::string, Heard> heard_;  // by name
};

}  // namespace turnpike::cluster
