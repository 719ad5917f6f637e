#include "relay/idle_connections.hpp"

namespace turnpike::relay {

void IdleConnections::set_limits(const StreamLimits& limits) {
  const std::lock_guard lock(mutex_);
  max_ = limits.idle;
  counter_.set_limit(limits.idle_per_address);
}

std::uint32_t IdleConnections::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

bool IdleConnections::take(const IpAddress& source, bool is_exempt) {
  const std::lock_guard lock(mutex_);
  if (max_ != 0 && count_ >= max_) return false;
  if (is_exempt) {
    counter_.add(source);
  } else if (!counter_.take(source)) {
    return false;
  }
  ++count_;
  return true;
}

void IdleConnections::add(const IpAddress& source) {
  const std::lock_guard lock(mutex_);
  counter_.add(source);
  ++count_;
}

void IdleConnections::release(const IpAddress& source) {
  const std::lock_guard lock(mutex_);
  counter_.release(source);
  --count_;
}

}  // namespace turnpike::relay
