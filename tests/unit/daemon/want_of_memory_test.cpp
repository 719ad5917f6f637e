// Tests that work which lasts as long as the daemon continues after a moment without memory.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <new>

#include "daemon/heartbeat.hpp"
#include "daemon/signal_reader.hpp"

namespace turnpike::daemon {
namespace {

using namespace std::chrono_literals;

// Runs one step like run_loop(). Returns whether there was anything to do.
bool run_a_step(boost::asio::io_context& io) {
  try {
    return io.run_one_for(10s) != 0;
  } catch (const std::bad_alloc&) {
    return true;
  }
}

TEST_CASE("the heartbeat continues without memory, and asks those again that it could not ask", "[daemon]") {
  REQUIRE(setenv("WATCHDOG_USEC", "3000", 1) == 0);
  boost::asio::io_context io;
  int beats = 0;
  int asked = 0;
  const auto ask = [&](const std::function<void()>& answer) {
    if (++asked == 1) throw std::bad_alloc();
    answer();
  };
  const auto describe = [&]() -> std::string {
    if (++beats == 2) throw std::bad_alloc();
    return "well";
  };
  Heartbeat heart(io, {ask, ask}, describe);
  while (beats < 4 && run_a_step(io)) continue;
  CHECK(beats == 4);
  CHECK(asked == 8);  // twice at each beat, since every part that was asked has answered by the next beat
  heart.stop();
  unsetenv("WATCHDOG_USEC");
}

TEST_CASE("a signal is read though there was no memory for what the last one began", "[daemon]") {
  boost::asio::io_context io;
  int taken = 0;
  SignalReader reader(io, {SIGWINCH}, [&](const signalfd_siginfo&) {
    if (++taken == 1) throw std::bad_alloc();
  });
  for (int sent = 1; sent <= 3; ++sent) {
    pthread_kill(pthread_self(), SIGWINCH);
    CHECK(run_a_step(io));
    CHECK(taken == sent);
  }
  reader.stop();
}

}  // namespace
}  // namespace turnpike::daemon
