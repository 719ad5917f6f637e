// A command that an operator gave on one node and that all nodes carry out, and what a node answers to it.
// Orders are signed and not encrypted, so they must not contain secrets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

struct Order {
  enum class Kind : std::uint8_t {
    end_user,     // the allocations of a user
    remove_user,  // from the node's database of users
    revoke,       // nothing more than SharedRevocations has sent; a node that answers has received that, too
  };
  Kind kind = Kind::end_user;
  std::string name;  // of the user, or of what is revoked
  // When the order was given, by the clock of its node; set only if this node could not receive it then. It
  // does not concern what has come since.
  std::optional<WallTime> given{};
};

// The result of an order on a node.
enum class OrderResult : std::uint8_t {
  done,
  no_such_user,  // so that there was nothing to do
  in_file,       // the user is in the node's configuration, and has to be removed there
  busy,          // somebody else writes the database
  clock,         // the order seems to be too old: the clocks of the two nodes differ
  failed,
};

// An order of a node, as the others receive it.
struct GivenOrder {
  std::string node;          // that has given it
  std::uint64_t number = 0;  // the time on its clock, in milliseconds since 1970; see KnownNodes
  Order order;
};

// What a node answers to an order.
struct OrderAnswer {
  std::string node;         // that answers
  std::uint64_t order = 0;  // the number of the order
  OrderResult result = OrderResult::failed;
};

}  // namespace turnpike::cluster
