#include "daemon/drain.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace turnpike::daemon {

Drain::Drain(boost::asio::io_context& io, const turn::Quota& allocations, std::uint32_t until,
             Deadline deadline, std::function<void()> end)
    : allocations_(allocations), end_(std::move(end)), timer_(io), until_(until), deadline_(deadline) {
  wait();
}

std::chrono::seconds Drain::left() const {
  const auto left = std::chrono::floor<std::chrono::seconds>(deadline_ - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::seconds::zero());
}

void Drain::check() {
  const std::uint32_t left = allocations_.in_use();
  const bool is_over = std::chrono::steady_clock::now() >= deadline_;
  if (left > until_ && !is_over) return;
  spdlog::info(fmt::format("drained: {} allocations are left{}", left, is_over ? " at the deadline" : ""));
  end_();
}

void Drain::wait() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    wait();  // this comes before check(), which may throw std::bad_alloc
    check();
  });
}

}  // namespace turnpike::daemon
