// Protects against replay. Everybody who can write to Redis can write an earlier, correctly signed message of
// a node again. Therefore each message about rooms has a number, and a node accepts each number of another
// node only once.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Makes the name of one start (run) of a node. A later start has a greater name: it consists of the
// milliseconds since 1970 and `chance`, a random text that distinguishes machines that start at the same
// time. It has at most kMaxRun characters.
inline constexpr std::size_t kMaxRun = 22;
std::string name_run(WallTime now, std::string_view chance);

// Makes the numbers of messages: the milliseconds since 1970, but always greater than the number before.
class Numbers {
 public:
  std::uint64_t next(WallTime now);

 private:
  std::uint64_t last_ = 0;
};

// Remembers the latest number of each node.
class Freshness {
 public:
  // The largest allowed difference between the clocks of two nodes, plus the time that a message takes.
  static constexpr Duration kMaxSkew = std::chrono::minutes(1);

  enum class Verdict : std::uint8_t {
    fresh,
    repeated,    // this number or a greater one was accepted already
    superseded,  // the message is from an earlier start of the node
    // The number differs from the present time by more than kMaxSkew, and this start was not heard lately.
    untimely,
  };

  // Checks the number of a message, and stores it when the verdict is `fresh`.
  Verdict accept(const std::string& node, std::string_view run, std::uint64_t number, WallTime now);
  static bool is_timely(std::uint64_t number, WallTime now);
  // Forgets nodes whose earlier messages would now be untimely.
  void forget_old(WallTime now);

 private:
  struct Latest {
    std::string run;
    std::uint64_t number = 0;
  };
  std::map<std::string, Latest> latest_;  // by the name of the node
};

}  // namespace turnpike::cluster
