// Writes to the log what happened to allocations, and which requests were refused. Names come from strangers
// and are written so that they cannot pass for anything else. However many requests are refused, there is a
// bound to what is written about them, and a source that is refused often does not hide the others.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>

#include "turnpike/base/endpoint.hpp"
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
  // In each period so many refused requests have a line of their own, and so many of one address. Of the
  // others, each address has one line at the end of the period that says how many there were; of addresses
  // beyond these there is one line together.
  static constexpr Duration kPeriod = std::chrono::seconds(10);
  static constexpr unsigned kLinesPerPeriod = 20;
  static constexpr unsigned kLinesPerAddress = 5;
  static constexpr std::size_t kMaxAddresses = 64;

  // `worker` is its number. `hints` outlives this.
  EventLog(unsigned worker, NetworkHints& hints) : worker_(worker), hints_(hints) {}
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
  // Refused requests without a line of their own.
  struct Unshown {
    std::uint64_t count = 0;
    std::uint64_t not_answered = 0;  // how many of these had no answer
    Refusal last{};
  };
  struct Source {
    unsigned lines = 0;
    Unshown unshown;
  };
  void log_refusal(const Refusal& refusal, SteadyTime now);
  static void log_unshown(const Unshown& unshown);

  const unsigned worker_;
  NetworkHints& hints_;
  SteadyTime period_ends_ = SteadyTime::max();
  unsigned lines_ = 0;
  std::map<IpAddress, Source> sources_;  // in this period
  Unshown others_;                       // of addresses that are not in `sources_`
};

}  // namespace turnpike::relay
