// Holds each source address to a rate of work, whatever a single piece of it costs: what was done is charged
// afterwards, and the source rests until that is paid for. A table of fixed size, whoever fills it.
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
  // `per_second` units, and those of `burst` at once; a rate of 0 means no limit. `key` keeps strangers from
  // choosing their place, or another's.
  SourcePace(std::uint64_t per_second, Duration burst, const HashKey& key);

  // The source has had `cost` units of work done.
  void charge(const IpAddress& source, std::uint64_t cost, SteadyTime now);
  // How long it has to rest before more is done for it; zero for most.
  Duration rest(const IpAddress& source, SteadyTime now) const;

 private:
  using Time = std::chrono::microseconds;  // of the steady clock

  struct Account {
    std::uint64_t source = 0;  // hash; 0 = never used
    Time paid_until{};         // when all its work so far will have been paid for
  };
  // A source may lie in any of the few accounts of its set; the one that owes least makes room.
  using Set = std::array<Account, 4>;

  std::uint64_t per_second_;
  Time burst_;
  KeyedHash hash_;
  std::vector<Set> sets_;
};

}  // namespace turnpike
