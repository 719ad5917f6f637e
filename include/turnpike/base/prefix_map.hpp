// Maps blocks of addresses to yes or no. The longest block that contains an address decides. It is a binary
// trie over the bits of addresses.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"

namespace turnpike {

class PrefixMap {
 public:
  // Adds a block. If the block is there already, it gets the new value.
  void insert(const Prefix& prefix, bool value);

  struct Match {
    bool value = false;
    unsigned length = 0;  // prefix length of the block, in bits
  };
  // The longest block that contains the address; nothing when no block does.
  std::optional<Match> longest_match(const IpAddress& address) const;

  bool empty() const { return nodes_.size() == 2 && !nodes_[0].value && !nodes_[1].value; }

 private:
  struct Node {
    std::array<std::uint32_t, 2> child{};  // 0 means no child, since a root (0 or 1) is never a child
    std::optional<bool> value;
  };

  std::vector<Node> nodes_ = std::vector<Node>(2);  // [0] is the IPv4 root, [1] the IPv6 root
};

}  // namespace turnpike
