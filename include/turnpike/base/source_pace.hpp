// Limits the rate of work for each source address when the cost of a piece of work is known only afterwards.
// The cost is charged after the work, and then the source has to wait until the cost is paid for. The table
// has a fixed size, so strangers cannot make it grow.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike {

// Belongs to one thread. An IPv4 address or an IPv6 /64 is one source.
class SourcePace {
 public:
  // A source may use `per_second` units of work each second, and the units of `burst` (a time) at once. A
  // rate of 0 means no limit. `key` hashes the sources, so that a stranger cannot choose a place in the
  // table.
  SourcePace(std::uint64_t per_second, Duration burst, const HashKey& key);

  // Changes the rate, and forgets what sources have used so far.
  void set_rate(std::uint64_t per_second);

  // Records that `cost` units of work were done for the source.
  void charge(const IpAddress& source, std::uint64_t cost, SteadyTime now);
  // How long the source has to wait before more work is done for it. Zero means that it need not wait.
  Duration rest_time(const IpAddress& source, SteadyTime now) const;

 private:
  using Time = std::chrono::microseconds;  // of the steady clock

  struct Account {
    std::uint64_t source = 0;  // hash of the source; 0 means that the account was never used
    Time paid_until{};         // the time at which all work so far is paid for
  };
  // A source may use any of the four accounts of its set. A new source replaces the one that is paid for
  // earliest.
  using Set = std::array<Account, 4>;

  std::uint64_t per_second_;
  Time burst_;
  KeyedHash hash_;
  std::vector<Set> sets_;
};

}  // namespace turnpike
