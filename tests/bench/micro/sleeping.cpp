// What it costs a thread to sleep. The figure to look at is the CPU time; the time is the length of the
// pause.
#include <benchmark/benchmark.h>
#include <sys/prctl.h>
#include <time.h>

#include <chrono>

#include "relay/pause_timer.hpp"

namespace turnpike::bench {
namespace {

constexpr std::chrono::microseconds kPause{175};

std::chrono::nanoseconds steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

void clock_nanosleep_175us(benchmark::State& state) {
  prctl(PR_SET_TIMERSLACK, 1'000UL, 0UL, 0UL, 0UL);  // as a worker
  const timespec pause{0, std::chrono::nanoseconds(kPause).count()};
  for ([[maybe_unused]] auto _ : state) clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
}
BENCHMARK(clock_nanosleep_175us);

void pause_timer_175us(benchmark::State& state) {
  relay::PauseTimer timer(kPause);
  for ([[maybe_unused]] auto _ : state) timer.wait(steady_now());
}
BENCHMARK(pause_timer_175us);

}  // namespace
}  // namespace turnpike::bench
