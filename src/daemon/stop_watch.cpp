#include "daemon/stop_watch.hpp"

#include <pthread.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <new>
#include <utility>

#include "daemon/log.hpp"

namespace turnpike::daemon {
namespace {

timespec to_timespec(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((time - seconds).count())};
}

}  // namespace

StopWatch::StopWatch(std::initializer_list<int> signals, unsigned spared, std::chrono::milliseconds patience)
    : wake_(*signals.begin()), patience_(patience), spared_(spared), deadline_(Clock::now() + patience) {
  sigemptyset(&signals_);
  for (const int signal : signals) sigaddset(&signals_, signal);
  thread_ = std::thread([this] { watch(); });
}

StopWatch::~StopWatch() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  pthread_kill(thread_.native_handle(), wake_);
  thread_.join();
}

void StopWatch::begin(std::string_view part, CutOff cut_off) {
  const std::lock_guard lock(mutex_);
  part_ = part;
  cut_off_ = std::move(cut_off);
  is_cut_off_ = false;
  deadline_ = Clock::now() + patience_;
  if (is_hurried_) cut();
}

bool StopWatch::has_cut_off() const {
  const std::lock_guard lock(mutex_);
  return has_cut_off_;
}

// A part that begins meanwhile has a later deadline, so the thread need not be woken for it.
void StopWatch::watch() {
  prctl(PR_SET_NAME, "stop-watch", 0UL, 0UL, 0UL);
  std::unique_lock lock(mutex_);
  while (!done_) {
    const timespec time = to_timespec(
        std::max<std::chrono::nanoseconds>(deadline_ - Clock::now(), std::chrono::nanoseconds(0)));
    lock.unlock();
    const int signal = sigtimedwait(&signals_, nullptr, &time);
    lock.lock();
    if (done_) return;
    try {
      if (signal > 0) hurry();
      look();
    } catch (const std::bad_alloc&) {
      // A line of the log is lost.
    }
  }
}

void StopWatch::hurry() {
  if (spared_ != 0) {
    --spared_;
    return;
  }
  if (std::exchange(is_hurried_, true)) return;
  deadline_ = Clock::now() + patience_;
  const std::string left = cut();
  spdlog::info(fmt::format("stopping at once because of a second signal{}{}",
                           left.empty() ? "" : ", which cuts off ", left));
}

void StopWatch::look() {
  const Clock::time_point now = Clock::now();
  if (now < deadline_) return;
  deadline_ = now + patience_;
  if (part_.empty()) return;
  if (is_cut_off_) give_up();
  const std::string left = cut();
  const std::chrono::duration<double> patience = patience_;
  spdlog::error(fmt::format("stopping: {} has not ended in {} s{}{}", part_, patience.count(),
                            left.empty() ? "" : " and is cut off: ", left));
}

// Returns what was left.
std::string StopWatch::cut() {
  is_cut_off_ = true;
  const CutOff cut_off = std::exchange(cut_off_, nullptr);
  if (!cut_off) return {};
  has_cut_off_ = true;
  return cut_off();
}

void StopWatch::give_up() noexcept {
  try {
    say_last(fmt::format("stopping: {} does not end, and the process ends without it", part_));
  } catch (const std::exception&) {
    // The process ends without a word.
  }
  std::_Exit(EXIT_FAILURE);
}

}  // namespace turnpike::daemon
