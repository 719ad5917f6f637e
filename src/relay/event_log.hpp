// What the core tells, as log lines. Names come from strangers and are written so that they cannot pass for
// anything else; and however many requests strangers have refused, what is written of them has a bound.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "turnpike/base/prefix.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

// Tells the operator, once for each network of this machine, how to open it to clients. Thread-safe; all
// workers share it.
class NetworkHints {
 public:
  void tell(const Prefix& network);

 private:
  std::mutex mutex_;
  std::set<Prefix> told_;  // only networks that this machine has had
};

// One worker's, on its thread.
class EventLog {
 public:
  // So many refused requests in each period have a line of their own. The others are counted.
  static constexpr Duration kPeriod = std::chrono::seconds(10);
  static constexpr unsigned kLinesPerPeriod = 20;

  explicit EventLog(NetworkHints& hints) : hints_(hints) {}  // outlives this
  // Tells what is left to tell.
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  void log(std::span<const turn::Output::Event> events, SteadyTime now);

  // The end of a period. SteadyTime::max() while no request was refused.
  SteadyTime next_deadline() const { return period_ends_; }
  void on_timeout();

 private:
  using Event = turn::Output::Event;
  void log_refused(const Event& event, SteadyTime now);

  NetworkHints& hints_;
  SteadyTime period_ends_ = SteadyTime::max();
  unsigned lines_ = 0;
  std::uint64_t not_shown_ = 0;
  std::uint64_t not_answered_ = 0;  // of these
  Event last_{};                    // of these
};

// A stranger's text for a log line, in quotes: printable characters as they are, anything else as an escape,
// and
// `...` behind the quotes where there is more of it than 64 characters.
std::string quoted(std::string_view text);

}  // namespace turnpike::relay
