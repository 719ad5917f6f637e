// The process's log: spdlog to stderr, as text or one JSON object a line.
#pragma once

#include "config/config.hpp"

namespace turnpike::daemon {

// Writes from a thread of its own, so that a slow reader of stderr never holds up a worker: when it falls far
// behind, the oldest lines are lost.
class LogScope {
 public:
  explicit LogScope(const config::LogParams& params);
  ~LogScope();  // writes what is still waiting
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;
};

}  // namespace turnpike::daemon
