#include "relay/pause_timer.hpp"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace turnpike::relay {
namespace {

bool is_too_coarse_for(std::chrono::nanoseconds period) {
  timespec resolution{};
  if (clock_getres(CLOCK_MONOTONIC, &resolution) != 0) return false;
  return std::chrono::seconds(resolution.tv_sec) + std::chrono::nanoseconds(resolution.tv_nsec) > period;
}

timespec to_timespec(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {seconds.count(), (time - seconds).count()};
}

}  // namespace

PauseTimer::PauseTimer(std::chrono::microseconds period) {
  for (Timer& timer : timers_) {
    timer.fd = net::Fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    if (!timer.fd) throw std::system_error(errno, std::generic_category(), "timerfd_create");
  }
  set_period(period);
}

void PauseTimer::set_period(std::chrono::microseconds period) {
  period_ = is_too_coarse_for(period) ? std::chrono::microseconds(0) : period;
  Time point = std::chrono::steady_clock::now().time_since_epoch();
  for (Timer& timer : timers_) {
    point += period_;
    timer.next = point;
    itimerspec setting{};  // zeros stop the timer
    if (period_.count() > 0) setting = {to_timespec(2 * period_), to_timespec(point)};
    timerfd_settime(timer.fd.get(), TFD_TIMER_ABSTIME, &setting, nullptr);
  }
}

void PauseTimer::wait(Time now) {
  if (period_.count() == 0) return;
  for (int reads = 0; reads < 3; ++reads) {  // both timers may have expired, and then the third read waits
    Timer& timer = timers_[0].next <= timers_[1].next ? timers_[0] : timers_[1];
    const Time point = timer.next;
    std::uint64_t expirations = 0;  // more than one when points have passed unused
    if (read(timer.fd.get(), &expirations, sizeof(expirations)) < 0) return;  // a signal has come
    timer.next += 2 * period_ * expirations;
    if (point > now) return;
  }
}

}  // namespace turnpike::relay
