#include "daemon/heartbeat.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <new>
#include <string_view>
#include <utility>

#include "daemon/notify.hpp"

namespace turnpike::daemon {
namespace {

// The period without a watchdog, when a beat only updates the status line.
constexpr std::chrono::seconds kCalmPeriod{10};

std::optional<std::uint64_t> number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (!text) return std::nullopt;
  const std::string_view view(text);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), number);
  return error == std::errc() && end == view.data() + view.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<std::chrono::microseconds> Heartbeat::watchdog_interval() {
  const std::optional<std::uint64_t> interval = number_in("WATCHDOG_USEC");
  const std::optional<std::uint64_t> process = number_in("WATCHDOG_PID");
  const bool is_ours = !std::getenv("WATCHDOG_PID") || process == static_cast<std::uint64_t>(getpid());
  if (!interval || *interval == 0 || !is_ours) return std::nullopt;
  return std::chrono::microseconds(*interval);
}

// There are three beats in an interval. A thread that is asked at one beat has to answer before the next.
Heartbeat::Heartbeat(boost::asio::io_context& io, std::vector<Question> threads,
                     std::function<std::string()> describe)
    : timer_(io),
      threads_(std::move(threads)),
      describe_(std::move(describe)),
      watchdog_(watchdog_interval()),
      period_(watchdog_ ? *watchdog_ / 3 : std::chrono::microseconds(kCalmPeriod)),
      unanswered_(std::make_shared<std::atomic<std::size_t>>(0)) {
  beat();
}

// The next beat is scheduled before anything that may throw std::bad_alloc.
void Heartbeat::beat() {
  timer_.expires_after(period_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !stopped_) beat();
  });
  const bool all_answered = watchdog_ && unanswered_->load() == 0;
  if (all_answered) {
    for (const Question& ask : threads_) ask_one(ask);
  }
  try {
    notify_service_manager("STATUS=" + describe_() + (all_answered ? "\nWATCHDOG=1" : ""));
  } catch (const std::bad_alloc&) {
    if (all_answered) notify_service_manager("WATCHDOG=1");
  }
}

void Heartbeat::ask_one(const Question& ask) {
  unanswered_->fetch_add(1);
  try {
    ask([unanswered = unanswered_] { unanswered->fetch_sub(1); });
  } catch (const std::bad_alloc&) {
    unanswered_->fetch_sub(1);  // nobody was asked
  }
}

}  // namespace turnpike::daemon
