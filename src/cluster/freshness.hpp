// Whoever can write into Redis can write again what a node has written earlier, with its signature. So each
// message about rooms has a number, and a node heeds a number of another node once.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Names a start of a node. Of two starts, the later one has the greater name: milliseconds since 1970, and
// something by chance for machines that start at the same time. Of at most kMaxRun characters.
inline constexpr std::size_t kMaxRun = 22;
std::string name_run(WallTime now, std::string_view chance);

// Numbers what a node writes: milliseconds since 1970, and never one twice.
class Numbers {
 public:
  std::uint64_t next(WallTime now);

 private:
  std::uint64_t last_ = 0;
};

// Remembers the latest number of each node.
class Freshness {
 public:
  // Clocks of two nodes may differ by so much; so long a message may be under way.
  static constexpr Duration kMaxSkew = std::chrono::minutes(1);

  enum class Verdict : std::uint8_t {
    fresh,
    repeated,    // it was heard, or something later was
    superseded,  // from a start of the node after which there was another one
    untimely,    // from another time than now: of a node that was not heard lately, all is old that is so
  };

  // Takes note of the number when it is fresh.
  Verdict take(const std::string& node, std::string_view run, std::uint64_t number, WallTime now);
  static bool is_timely(std::uint64_t number, WallTime now);
  // For nodes whose old messages are untimely by now nothing has to be remembered.
  void forget_old(WallTime now);

 private:
  struct Latest {
    std::string run;
    std::uint64_t number = 0;
  };
  std::map<std::string, Latest> latest_;  // by the name of the node
};

}  // namespace turnpike::cluster
