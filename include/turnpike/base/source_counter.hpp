// How many of something each source address has, where each may have only so many.
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

  // Whether the source has as many as it may.
  bool is_full(const IpAddress& source) const {
    const auto it = counts_.find(source_block(source));
    return most_ != 0 && it != counts_.end() && it->second >= most_;
  }
  // One more; false, and nothing taken, when the source has as many as it may.
  bool take(const IpAddress& source) {
    if (is_full(source)) return false;
    add(source);
    return true;
  }
  // One more, even beyond the limit.
  void add(const IpAddress& source) { ++counts_[source_block(source)]; }
  // One that was taken or added before.
  void release(const IpAddress& source) {
    const auto it = counts_.find(source_block(source));
    if (it != counts_.end() && --it->second == 0) counts_.erase(it);
  }

 private:
  std::uint32_t most_;
  std::map<IpAddress, std::uint32_t> counts_;  // ordered, since strangers choose the addresses
};

}  // namespace turnpike
