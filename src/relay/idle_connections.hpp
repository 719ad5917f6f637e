// Counts the connections and DTLS associations that have no allocation, of all workers together. Strangers
// open them for nothing, so the whole server and each source address may have only so many.
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

  // From now on these limits hold. Connections beyond them stay.
  void set_limits(const StreamLimits& limits);
  std::uint32_t count() const;

  // An IPv6 /64 counts as one address. Returns false, and takes nothing, when the server has enough, or the
  // address has and is not exempt.
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
