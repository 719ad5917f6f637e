// The process's log: spdlog to stderr, as text or one JSON object a line.
#pragma once

#include <string_view>

#include "config/config.hpp"

namespace turnpike::daemon {

// From now on only what is as important as this is logged. From any thread.
void set_level(config::LogLevel level);
// Likewise, by the word for it in the configuration. Returns false, and changes nothing, when there is no
// such level.
bool set_level(std::string_view level);

// Writes from a thread of its own, so that a slow reader of stderr never holds up a worker: when it falls far
// behind, the oldest lines are lost.
class LogScope {
 public:
  explicit LogScope(const config::LogParams& params);
  ~LogScope();  // writes what is still waiting
  // From now on the log is written like this. From any thread.
  static void use(const config::LogParams& params);
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;
};

}  // namespace turnpike::daemon
