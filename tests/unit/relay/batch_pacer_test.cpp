#include "relay/batch_pacer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;

// A worker whose passes take no time. It sleeps when the pacer wants that, and waits otherwise.
class Worker {
 public:
  explicit Worker(std::chrono::microseconds delay = 100us) : pacer_(delay) {}

  // Waits for `time`, makes a pass, and returns what follows it. Each of `found` is of another flow.
  Pause pass(std::uint64_t found, std::chrono::microseconds time = 0us) {
    return pass_of({found, found, {}, {}}, time);
  }
  Pause pass_of(BatchPacer::Pass pass, std::chrono::microseconds time = 0us) {
    now_ += time;
    pass.began = pass.ended = now_;
    return pacer_.decide(pass);
  }
  // Relays one datagram after every `gap`, and returns the pauses of this time. A pause takes the whole
  // delay.
  int pauses_at_gaps_of(std::chrono::microseconds gap, int datagrams = 1000) {
    int pauses = 0;
    BatchPacer::Time next = now_ + gap;
    while (datagrams > 0) {
      now_ = std::max(now_, next);
      std::uint64_t found = 0;
      for (; next <= now_ && datagrams > 0; next += gap, --datagrams) ++found;
      while (pass(found) != Pause::none) {
        ++pauses;
        now_ += pacer_.delay();
        for (found = 0; next <= now_ && datagrams > 0; next += gap, --datagrams) ++found;
      }
    }
    return pauses;
  }
  BatchPacer& pacer() { return pacer_; }

 private:
  BatchPacer pacer_;
  BatchPacer::Time now_ = 1h;
};

// A worker that pauses, since datagrams came one by one and fast.
Worker busy_worker() {
  Worker worker;
  while (worker.pass(1, 1us) == Pause::none) {
  }
  return worker;
}

TEST_CASE("there are pauses where several datagrams come in the time of one", "[pacer]") {
  CHECK(Worker().pauses_at_gaps_of(25us) == Approx(250).margin(10));  // one for four datagrams
  CHECK(Worker().pauses_at_gaps_of(50us) == Approx(500).margin(15));  // one for two
  CHECK(Worker().pauses_at_gaps_of(150us) == 0);
  CHECK(Worker().pauses_at_gaps_of(1s) == 0);
}

TEST_CASE("bursts with longer gaps between them are no reason to pause", "[pacer]") {
  Worker worker;
  for (int i = 0; i < 100; ++i) {
    CHECK(worker.pass_of({7, 1, {}, {}}, 300us) == Pause::none);
    CHECK(worker.pass_of({15, 1, {}, {}}) == Pause::none);  // the rest of the burst, which came meanwhile
  }
}

TEST_CASE("a pass that found a batch is followed by no pause", "[pacer]") {
  Worker worker = busy_worker();
  CHECK(worker.pass(15) == Pause::short_one);
  CHECK(worker.pass(16) == Pause::none);
  CHECK(worker.pass(15) == Pause::short_one);
}

TEST_CASE("a pause follows a batch with several datagrams of one flow, until the batch is full", "[pacer]") {
  Worker worker = busy_worker();
  CHECK(worker.pass_of({25, 20, {}, {}}) == Pause::whole_one);
  CHECK(worker.pass_of({24, 20, {}, {}}) == Pause::none);
  CHECK(worker.pass_of({16, 1, {}, {}}) == Pause::whole_one);
  CHECK(worker.pass_of({255, 1, {}, {}}) == Pause::whole_one);
  CHECK(worker.pass_of({256, 1, {}, {}}) == Pause::none);
}

TEST_CASE("a pass without datagrams says nothing about them, unless it follows a pause", "[pacer]") {
  Worker waiting;
  int passes = 1;
  while (waiting.pass(1, 99us) == Pause::none) {
    ++passes;
    CHECK(waiting.pass(0, 1us) == Pause::none);
  }
  CHECK(passes == 23);  // as many as without passes between them, see below

  Worker paused = busy_worker();
  CHECK(paused.pass(0) == Pause::none);              // nothing came in the pause
  CHECK(paused.pass(1, 99us) == Pause::none);        // this is rarer than the likelihood of a moment ago
  CHECK(paused.pauses_at_gaps_of(25us, 100) >= 20);  // it is back soon
}

TEST_CASE("a flow that begins has pauses within two dozen passes, and one that ends has no more after five",
          "[pacer]") {
  Worker worker;
  int passes = 1;
  while (worker.pass(1, 25us) == Pause::none) ++passes;
  CHECK(passes == 23);

  for (int i = 0; i < 100; ++i) worker.pass(1);
  int pauses = 0;
  while (worker.pass(1, 2s) != Pause::none) {
    ++pauses;
    worker.pass(0);
  }
  CHECK(pauses <= 5);
}

TEST_CASE("the delay can change, and 0 turns pauses off", "[pacer]") {
  Worker worker(0us);
  CHECK(worker.pauses_at_gaps_of(1us) == 0);
  worker.pacer().set_delay(250us);
  CHECK(worker.pacer().delay() == 250us);
  CHECK(worker.pauses_at_gaps_of(10us) > 0);
}

}  // namespace
}  // namespace turnpike::relay
