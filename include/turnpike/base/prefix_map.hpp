// Yes or no for blocks of addresses, where the longest block that has an address decides: a binary trie over
// the bits of addresses.
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
  // A block that is there already gets the new value.
  void insert(const Prefix& prefix, bool value);

  struct Match {
    bool value = false;
    unsigned length = 0;  // of the block, in bits
  };
  // Nothing when no block has this address.
  std::optional<Match> longest_match(const IpAddress& address) const;

  bool empty() const { return nodes_.size() == 2 && !nodes_[0].value && !nodes_[1].value; }

 private:
  struct Node {
    std::array<std::uint32_t, 2> child{};  // 0 = none; the roots are nobody's child
    std::optional<bool> value;
  };

  std::vector<Node> nodes_ = std::vector<Node>(2);  // [0] is the IPv4 root, [1] the IPv6 root
};

}  // namespace turnpike
