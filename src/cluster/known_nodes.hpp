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
  // A node that has not written for this time counts as gone.
  static constexpr std::chrono::seconds kLife{10};
  // Of an order; it may come from a clock that is ahead by as much. A node that has just started does not
  // know what it has heard before.
  static constexpr std::chrono::minutes kMaxAge{5};

  enum class Verdict : std::uint8_t {
    fresh,
    old,       // it was heard before, or something later was
    silent,    // a record that the node has not written anew for kLife, even where its key lives on
    untimely,  // an order that is too old, or of a clock that is too far from ours
    too_many,  // more nodes than are heeded
  };

  // Checks a record or an order, and stores its number when the verdict is `fresh`.
  Verdict take(const NodeRecord& record, TimePoint now);
  Verdict take_order(const std::string& node, std::uint64_t number, TimePoint now);
  // The same for an order that Redis keeps for later nodes; it may be as old as kKept.
  static constexpr std::chrono::hours kKept{24};
  Verdict take_kept_order(const std::string& node, std::uint64_t number, TimePoint now);

  // The record that the node wrote less than kLife ago; null when there is none.
  const NodeRecord* latest_of(const std::string& name, SteadyTime now) const;
  // Whether two servers are configured with this name.
  bool is_used_twice(const std::string& name, SteadyTime now) const;
  // The nodes that were there within a day and have not said that they leave. They may relay without Redis.
  std::vector<std::string> those_that_may_run() const;
  void forget_long_gone(SteadyTime now);

 private:
  struct Heard {
    std::uint64_t number = 0;          // of the latest record
    std::uint64_t order = 0;           // likewise
    SteadyTime since{};                // when the record came
    std::optional<NodeRecord> record;  // empty when only an order was received
    // Of the server that wrote last, and of the one before. A server that is started anew takes the place of
    // its former run for good; two that write in turn are two.
    std::array<std::uint64_t, 2> began{};
    SteadyTime used_twice_until{};
  };
  Heard* of(const std::string& name);  // null when there is no room for another node
  Verdict take_order(const std::string& node, std::uint64_t number, TimePoint now, Duration max_age);

  std::map<std::string, Heard> heard_;  // by name
};

}  // namespace turnpike::cluster
