// Which of many things is due next. Each of them keeps its own deadline, by which it is found here.
#pragma once

#include <set>
#include <utility>

#include "turnpike/base/time.hpp"

namespace turnpike {

template <typename Key>
class Deadlines {
 public:
  // `held` is the deadline that `key` has had, and has from now on.
  void set(const Key& key, SteadyTime& held, SteadyTime at) {
    clear(key, held);
    held = at;
    queue_.emplace(at, key);
  }
  // Without effect where there is none.
  void clear(const Key& key, SteadyTime held) { queue_.erase({held, key}); }

  // SteadyTime::max() when nothing is waiting.
  SteadyTime next() const { return queue_.empty() ? SteadyTime::max() : queue_.begin()->first; }
  // Of next(); there is one.
  Key first() const { return queue_.begin()->second; }

 private:
  std::set<std::pair<SteadyTime, Key>> queue_;
};

}  // namespace turnpike
