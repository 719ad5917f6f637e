// Writes to the log what happened to allocations, and which requests were refused. Names come from strangers
// and are written so that they cannot pass for anything else. However many requests are refused, there is a
// bound to what is written about them.
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

// Advises the operator, once for each network of this machine, how to open it to clients. Thread-safe; all
// workers share it.
class NetworkHints {
 public:
  void advise(const Prefix& network);

 private:
  std::mutex mutex_;
  std::set<Prefix> known_;  // only networks that this machine has had
};

// One worker's, on its thread.
class EventLog {
 public:
  // In each period so many refused requests have a line of their own. The others are counted.
  static constexpr Duration kPeriod = std::chrono::seconds(10);
  static constexpr unsigned kLinesPerPeriod = 20;

  explicit EventLog(NetworkHints& hints) : hints_(hints) {}  // outlives this
  // Logs how many requests were refused without a line of their own.
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  void log(std::span<const turn::Output::Lifetime> lifetimes);
  void log(std::span<const turn::Output::Refusal> refusals, SteadyTime now);

  // The end of a period. SteadyTime::max() while no request was refused.
  SteadyTime next_deadline() const { return period_ends_; }
  void on_timeout();

 private:
  using Lifetime = turn::Output::Lifetime;
  using Refusal = turn::Output::Refusal;
  void log_refusal(const Refusal& refusal, SteadyTime now);

  NetworkHints& hints_;
  SteadyTime period_ends_ = SteadyTime::max();
  unsigned lines_ = 0;
  std::uint64_t not_shown_ = 0;
  std::uint64_t not_answered_ = 0;  // how many of these had no answer
  Refusal last_{};                  // of those without a line
};

// A stranger's text for a log line, in quotes: printable characters as they are, anything else as an escape,
// and
// `...` behind the quotes where there is more of it than 64 characters.
std::string quoted(std::string_view text);

}  // namespace turnpike::relay
