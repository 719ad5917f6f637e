#include "turnpike/base/prefix_map.hpp"

namespace turnpike {

void PrefixMap::insert(const Prefix& prefix, bool value) {
  std::uint32_t at = prefix.address.is_v4() ? 0 : 1;
  for (unsigned i = 0; i < prefix.length; ++i) {
    const bool side = prefix.address.bit(i);
    if (nodes_[at].child[side] == 0) {
      const auto added = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      nodes_[at].child[side] = added;
    }
    at = nodes_[at].child[side];
  }
  nodes_[at].value = value;
}

std::optional<PrefixMap::Match> PrefixMap::longest_match(const IpAddress& address) const {
  const unsigned bits = address.is_v4() ? 32 : 128;
  std::uint32_t at = address.is_v4() ? 0 : 1;
  std::optional<Match> match;
  for (unsigned i = 0;; ++i) {
    if (nodes_[at].value) match = Match{*nodes_[at].value, i};
    if (i == bits) return match;
    at = nodes_[at].child[address.bit(i)];
    if (at == 0) return match;
  }
}

}  // namespace turnpike
