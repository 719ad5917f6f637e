#include "relay/idle_connections.hpp"

namespace turnpike::relay {

bool IdleConnections::take(const IpAddress& source) {
  const std::lock_guard lock(mutex_);
  if ((max_ != 0 && count_ >= max_) || !counter_.take(source)) return false;
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
