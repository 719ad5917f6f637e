// Counts the connections and DTLS associations of all workers that have no allocation. Strangers can open
// them without credentials, so their number is limited for the whole server and for each source address.
#pragma once

#include <cstdint>
#include <mutex>

#include "relay/stream_limits.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/source_counter.hpp"

namespace turnpike::relay {

// Thread-safe.
class IdleConnections {
 public:
  explicit IdleConnections(const StreamLimits& limits)
      : max_(limits.idle), counter_(limits.idle_per_address) {}

  // Changes the limits. Existing connections stay, even beyond the new limits.
  void set_limits(const StreamLimits& limits);
  std::uint32_t count() const;

  // Counts one connection more. Returns false, and counts nothing, when the server has reached its limit, or
  // when the address has reached its limit and is not exempt. An IPv6 /64 counts as one address.
  bool take(const IpAddress& source, bool is_exempt);
  // Counts a connection even beyond the limit, because it exists already.
  void add(const IpAddress& source);
  void release(const IpAddress& source);

 private:
  std::uint32_t max_;
  mutable std::mutex mutex_;
  std::uint32_t count_ = 0;
  SourceCounter counter_;
};

}  // namespace turnpike::relay
