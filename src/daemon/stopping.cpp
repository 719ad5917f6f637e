#include "daemon/stopping.hpp"

#include <signal.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <initializer_list>
#include <string>
#include <utility>

#include "daemon/notify.hpp"

namespace turnpike::daemon {

void Stopping::read_signals() {
  signals_.emplace(parts_.io, std::initializer_list<int>{SIGTERM, SIGINT, SIGUSR1},
                   [this](const signalfd_siginfo& info) { on_signal(static_cast<int>(info.ssi_signo)); });
}

void Stopping::on_signal(int signal) {
  if (signal == SIGUSR1) return begin_drain({});
  const config::Config& config = parts_.config;
  const Duration drain = std::min(config.shutdown.drain, config.shutdown.deadline);
  const bool is_first = !std::exchange(asked_to_end_, true);
  if (signal == SIGTERM && drain != Duration::zero() && is_first) {
    const auto patience = std::chrono::duration_cast<std::chrono::seconds>(drain);
    // A drain may have begun already, for example by a preStop hook of Kubernetes.
    if (drain_) return begin_drain({std::min(patience, drain_->left()), drain_->until()});
    return begin_drain({patience, 0});
  }
  spdlog::info(fmt::format("stopping on {}", signal == SIGTERM ? "SIGTERM" : "SIGINT"));
  stop();
}

void Stopping::begin_drain(const admin::DrainOptions& options) {
  if (!ready_) return;  // the daemon is stopping already
  const auto patience = options.deadline.value_or(
      std::chrono::duration_cast<std::chrono::seconds>(parts_.config.shutdown.deadline));
  spdlog::info(fmt::format(
      "draining: there are {} allocations; the drain ends after {} s, or earlier when {} are left",
      parts_.allocations.in_use(), patience.count(), options.until));
  // When the drain is part of a stop, systemd has to wait for its end.
  const auto longest = std::chrono::microseconds(patience + std::chrono::seconds(10));
  notify_service_manager("EXTEND_TIMEOUT_USEC=" + std::to_string(longest.count()));
  const auto deadline = std::chrono::steady_clock::now() + patience;
  if (drain_) {
    drain_->change(options.until, deadline);
  } else {
    drain_.emplace(parts_.io, parts_.allocations, options.until, deadline, [this] { stop(); });
  }
  parts_.post_settings();
  parts_.clustering.announce();
  if (parts_.threads.signaling()) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    parts_.threads.signaling()->announce_end(WallTime(std::chrono::duration_cast<Duration>(now + patience)));
  }
}

// Ends all work in the io_context, so that its run() returns.
void Stopping::stop() {
  if (!ready_) return;
  ready_ = false;
  notify_service_manager("STOPPING=1");
  signals_->stop();
  begin_watch();
  if (drain_) drain_->stop();
  parts_.end_work();
}

// At the end of a drain the first signal has yet to come, as that of a service manager whose order to stop
// began the drain in another way. Want of memory or of a thread must not keep the rest from ending.
void Stopping::begin_watch() {
  try {
    stop_watch_.emplace(std::initializer_list<int>{SIGTERM, SIGINT}, asked_to_end_ ? 0U : 1U);
  } catch (const std::exception& error) {
    spdlog::warn(std::string("the stop cannot be watched, so it may take long: ").append(error.what()));
  }
  watch("the main thread", [this] {
    parts_.io.stop();
    return parts_.admin ? fmt::format("{} connections of the admin listener", parts_.admin->connections())
                        : std::string();
  });
}

void Stopping::watch(const char* part, StopWatch::CutOff cut_off) {
  if (stop_watch_) stop_watch_->begin(part, std::move(cut_off));
}

bool Stopping::end_watch() {
  const bool is_whole = !stop_watch_ || !stop_watch_->has_cut_off();
  stop_watch_.reset();
  return is_whole;
}

}  // namespace turnpike::daemon
