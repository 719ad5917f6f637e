// Counts how many of something each source address holds, and limits that number.
#pragma once

#include <cstdint>
#include <map>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"

namespace turnpike {

// An IPv6 /64 counts as one address.
class SourceCounter {
 public:
  explicit SourceCounter(std::uint32_t most) : most_(most) {}  // 0 = no limit

  void set_limit(std::uint32_t most) { most_ = most; }

  // Whether the source has reached the limit.
  bool is_full(const IpAddress& source) const {
    const auto it = counts_.find(source_block(source));
    return most_ != 0 && it != counts_.end() && it->second >= most_;
  }
  // Counts one more. Returns false, and counts nothing, when the source has reached the limit.
  bool take(const IpAddress& source) {
    if (is_full(source)) return false;
    add(source);
    return true;
  }
  // Counts one more, even beyond the limit.
  void add(const IpAddress& source) { ++counts_[source_block(source)]; }
  // Counts one less: an earlier take() or add() of this source has ended.
  void release(const IpAddress& source) {
    const auto it = counts_.find(source_block(source));
    if (it != counts_.end() && --it->second == 0) counts_.erase(it);
  }

 private:
  std::uint32_t most_;
  std::map<IpAddress, std::uint32_t>
      counts_;  // a tree and no hash table, since strangers choose the addresses
};

}  // namespace turnpike
