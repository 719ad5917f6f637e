// Decides whether a worker pauses so that several datagrams gather before it receives again, as network cards
// do with interrupts. Going to sleep and waking up costs several times as much as relaying a datagram. When
// datagrams come often, but one at a time, a short pause lets one wake-up serve several of them.
//
// A pause adds latency, and when no datagram comes during it, the worker has slept once more for nothing. So
// there are pauses only while datagrams come in at least three quarters of the times in which a pause would
// wait for them. How many they are does not matter: a burst is served by one wake-up in any case, so many
// datagrams in rare bursts, as those of a video call, are no reason to pause. There is no pause either when a
// pass has many datagrams already, with one exception. The datagrams of one flow that wait together pass
// through the kernel as one run, so when a pass had several datagrams of the same flows, a pause makes these
// runs longer.
#pragma once

#include <chrono>
#include <cstdint>

namespace turnpike::relay {

// What follows a pass. The points in time of PauseTimer are a delay apart, however long the passes take.
// `short_one` ends at the next point, so it takes the delay at most. `whole_one` begins now and takes the
// whole delay.
enum class Pause : std::uint8_t { none, short_one, whole_one };

class BatchPacer {
 public:
  // Any clock that does not jump.
  using Time = std::chrono::nanoseconds;

  // What a pass has relayed, and when. A flow is all that goes to the peers of one relay, or to one client.
  struct Pass {
    std::uint64_t datagrams = 0;
    std::uint64_t flows = 0;
    Time began{};
    Time ended{};
  };

  // A pass with this many datagrams had a batch already: each of them costs nearly as little as in a larger
  // one, if all are of different flows.
  static constexpr std::uint64_t kBatch = 16;
  // Above kBatch, there is a pause only when the datagrams are at least this many for each flow, in
  // hundredths. 125 means 1.25: runs begin to form.
  static constexpr std::uint64_t kPerFlow = 125;
  // A pass with this many datagrams is followed by no pause, because as many as it could take were waiting.
  static constexpr std::uint64_t kFullBatch = 256;

  // `delay` is the length of the longest pause; 0 turns pauses off.
  explicit BatchPacer(std::chrono::microseconds delay) : delay_(delay) {}
  void set_delay(std::chrono::microseconds delay) { delay_ = delay; }
  std::chrono::microseconds delay() const { return delay_; }

  // Whether a pause follows the latest pass. The next one then has to begin without waiting for anything, so
  // that it shows whether datagrams came in the pause.
  bool has_paused() const { return follows_pause_; }

  // Takes note of a pass that has ended, and returns what follows it.
  Pause decide(const Pass& pass) {
    if (!follows_pause_ && pass.datagrams == 0)
      return Pause::none;  // a timer, or a client's request: it says nothing about datagrams
    const bool came_soon = follows_pause_ ? pass.datagrams > 0 : pass.began - last_ended_ <= delay_;
    likelihood_ += ((came_soon ? kCertain : 0) - likelihood_) / kPassesAveraged;
    last_ended_ = pass.ended;
    const Pause pause = next_pause(pass);
    follows_pause_ = pause != Pause::none;
    return pause;
  }

 private:
  Pause next_pause(const Pass& pass) const {
    if (delay_.count() == 0 || pass.datagrams == 0 || likelihood_ < kWorth) return Pause::none;
    if (pass.datagrams < kBatch) return Pause::short_one;
    const bool forms_runs = pass.datagrams * 100 >= pass.flows * kPerFlow;
    return forms_runs && pass.datagrams < kFullBatch ? Pause::whole_one : Pause::none;
  }

  // A pause pays when more than one wake-up can be expected without it. If wake-ups come at random, 0.7 of
  // them are expected where the likelihood of at least one is 0.5, and 1.4 where it is 0.75.
  static constexpr int kCertain = 1 << 16;
  static constexpr int kWorth = kCertain * 3 / 4;
  // A fast flow has pauses after about 22 passes, and one that ends has no more after 5.
  static constexpr int kPassesAveraged = 16;

  std::chrono::microseconds delay_;
  Time last_ended_{};
  int likelihood_ = 0;  // that datagrams come within the delay after a pass, of kCertain
  bool follows_pause_ = false;
};

}  // namespace turnpike::relay
