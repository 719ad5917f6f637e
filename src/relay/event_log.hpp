// Writes events of allocations and refused requests to the log. Strangers choose the names, so names are
// written as quoted text that cannot look like another part of the line. The number of lines about refused
// requests is limited, and an address with many refusals does not hide other addresses.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <span>

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

// Belongs to one worker and its thread.
class EventLog {
 public:
  // The most refused requests in one period that get their own lines: of all addresses, and of one address.
  // For the others, each address gets one line at the end of the period, with their number. Addresses beyond
  // kMaxAddresses get one common line.
  static constexpr Duration kPeriod = std::chrono::seconds(10);
  static constexpr unsigned kLinesPerPeriod = 20;
  static constexpr unsigned kLinesPerAddress = 5;
  static constexpr std::size_t kMaxAddresses = 64;

  // `worker` is the number of the worker. `hints` must outlive this object.
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
