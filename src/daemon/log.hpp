// The log of the process: spdlog writes to stderr, one line of text or one JSON object for each event.
#pragma once

#include <spdlog/formatter.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "config/config.hpp"

namespace turnpike::daemon {

// Changes the log level: only lines of this level or a more important one are written. Any thread may call
// it.
void set_level(config::LogLevel level);
// Does the same with the word that the configuration uses for the level. Returns false, and changes nothing,
// when there is no such level.
bool set_level(std::string_view level);

// Makes what turns an event into its line. In the journal, which stores the time itself, lines of text have
// the priority instead of the time. A short line of ASCII needs no memory of the heap, so "out of memory" can
// always be written.
std::unique_ptr<spdlog::formatter> make_formatter(config::LogFormat format);

// Writes a line of the level info even if that level is not written. For the line that scripts wait for. Any
// thread may call it.
void say_at_any_level(std::string_view line);

// Writes an error at once, past the lines that wait, and waits for a second at most until somebody reads
// stderr. For a process that then ends without the end of its LogScope. Any thread may call it.
void say_last(std::string_view line);

class StderrSink;

// Writes from a thread of its own, so that a slow reader of stderr never holds up a worker: when it falls far
// behind, the oldest lines are lost.
class LogScope {
 public:
  explicit LogScope(const config::LogParams& params);
  ~LogScope();  // writes what is still waiting, but does not wait for ever for somebody to read it
  // Changes the level, the format and the addresses in the log. Any thread may call it.
  static void use(const config::LogParams& params);
  // How many lines were lost so far. Any thread may call it.
  static std::uint64_t lost_lines();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  std::shared_ptr<StderrSink> sink_;
};

}  // namespace turnpike::daemon
