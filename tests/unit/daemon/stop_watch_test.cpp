#include "daemon/stop_watch.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>

namespace turnpike::daemon {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kForEver = 1h;
// After twice the time, the watch would end the tests.
constexpr auto kPatience = 1s;

// The signal that asks for the end here. Real-time signals are queued, so each one counts.
const int kAsk = SIGRTMIN + 3;

// All threads of the test hold it, as those of the daemon do.
void hold_signal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, kAsk);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}
void ask() { REQUIRE(kill(getpid(), kAsk) == 0); }

// A part that never ends by itself.
struct Endless {
  void run() { io.run(); }
  StopWatch::CutOff cut_off() {
    return [this] {
      io.stop();
      return std::string("1 connection");
    };
  }
  boost::asio::io_context io;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
};

TEST_CASE("what does not end in time is cut off, and what ends is not", "[daemon]") {
  hold_signal();
  StopWatch watch({kAsk}, 0, kPatience);
  watch.begin("a part that ends", {});
  CHECK_FALSE(watch.has_cut_off());
  Endless endless;
  const Clock::time_point began = Clock::now();
  watch.begin("an endless part", endless.cut_off());
  endless.run();
  CHECK(Clock::now() - began >= kPatience);
  CHECK(watch.has_cut_off());
}

TEST_CASE("who asks again does not wait, for this part and for those behind it", "[daemon]") {
  hold_signal();
  StopWatch watch({kAsk}, 0, kForEver);
  for (int part = 0; part < 3; ++part) {
    Endless endless;
    watch.begin("an endless part", endless.cut_off());
    if (part == 0) ask();
    endless.run();
  }
  CHECK(watch.has_cut_off());
}

TEST_CASE("the first signal is no second one", "[daemon]") {
  hold_signal();
  Endless endless;
  StopWatch watch({kAsk}, 1, kPatience);
  const Clock::time_point began = Clock::now();
  watch.begin("an endless part", endless.cut_off());
  ask();
  SECTION("it changes nothing") {
    endless.run();
    CHECK(Clock::now() - began >= kPatience);
  }
  SECTION("the second one does") {
    ask();
    endless.run();
    CHECK(watch.has_cut_off());
  }
}

}  // namespace
}  // namespace turnpike::daemon
