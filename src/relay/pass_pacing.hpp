// Measures the passes of a worker: how long each took, and how much it relayed. After a pass, it pauses when
// BatchPacer wants it, so that datagrams gather.
#pragma once

#include <chrono>
#include <cstdint>

#include "relay/batch_pacer.hpp"
#include "relay/counters.hpp"
#include "relay/pause_timer.hpp"
#include "turnpike/turn/counters.hpp"

namespace turnpike::relay {

class PassPacing {
 public:
  explicit PassPacing(std::chrono::microseconds delay) : timer_(delay), pacer_(timer_.period()) {}
  void set_delay(std::chrono::microseconds delay);

  // The counters are those of the worker's server.
  void begin(const turn::Counters& counters);
  // Counts flows of this pass; see BatchPacer::Pass.
  void add_flows(std::uint64_t flows) { flows_ += flows; }
  // Ends the pass, and pauses.
  void end(const turn::Counters& counters);
  // See BatchPacer.
  bool has_paused() const { return pacer_.has_paused(); }

  const Histograms& histograms() const { return histograms_; }

 private:
  void sleep(Pause pause, std::chrono::nanoseconds now);

  PauseTimer timer_;
  BatchPacer pacer_;
  Histograms histograms_;
  std::chrono::nanoseconds began_{};
  std::uint64_t relayed_before_ = 0;
  std::uint64_t flows_ = 0;
};

}  // namespace turnpike::relay
