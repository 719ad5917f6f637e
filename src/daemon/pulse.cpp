#include "daemon/pulse.hpp"

#include <spdlog/common.h>
#include <spdlog/fmt/fmt.h>

#include <utility>
#include <vector>

namespace turnpike::daemon {

Pulse::Pulse(Parts parts)
    : parts_(std::move(parts)),
      rate_(parts_.started),
      bounds_log_([](const relay::LogEvent& line) { line.write(spdlog::level::warn); }) {}

void Pulse::begin() {
  std::vector<Heartbeat::Question> threads = parts_.workers.make_questions();
  parts_.threads.add_questions(threads);
  heartbeat_.emplace(parts_.io, std::move(threads), [this] { return beat(); });
}

void Pulse::stop() {
  if (heartbeat_) heartbeat_->stop();
}

std::string Pulse::beat() {
  const auto now = std::chrono::steady_clock::now();
  rate_.count(parts_.workers.relayed_octets(), now);
  bounds_log_.write_lines(parts_.workers.count_all(), now);
  return describe_load();
}

std::string Pulse::describe_load() const {
  return fmt::format("{}{} allocations, {:.1f} Mbit/s", parts_.is_draining() ? "draining, " : "",
                     parts_.limits.allocations.in_use(), static_cast<double>(rate_.per_second()) * 8 / 1e6);
}

}  // namespace turnpike::daemon
