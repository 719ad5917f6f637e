#include "relay/pause_timer.hpp"

#include <catch2/catch.hpp>
#include <thread>

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;

PauseTimer::Time now() { return std::chrono::steady_clock::now().time_since_epoch(); }

// Sleeps may take longer on a busy machine, so the tests look only for those that are too short.
TEST_CASE("pauses end a period apart", "[pause]") {
  const PauseTimer::Time began = now();
  PauseTimer timer(1ms);
  for (int i = 0; i < 5; ++i) timer.wait(now());
  CHECK(now() - began >= 5ms);
}

TEST_CASE("points in time that have passed do not end a pause", "[pause]") {
  PauseTimer timer(1ms);
  std::this_thread::sleep_for(7500us);  // the passes of a worker that was busy
  const PauseTimer::Time began = now();
  timer.wait(began);
  timer.wait(now());
  CHECK(now() - began >= 1ms);
}

TEST_CASE("the period of pauses can change, and with 0 there are none", "[pause]") {
  PauseTimer timer(0us);
  timer.wait(now());
  timer.set_period(2ms);
  const PauseTimer::Time began = now();
  timer.wait(now());
  timer.wait(now());
  CHECK(now() - began >= 2ms);
  timer.set_period(0us);
  timer.wait(now());
}

}  // namespace
}  // namespace turnpike::relay
