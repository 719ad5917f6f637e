// A queue of deadlines that finds the key that is due next. Each entry's owner stores the entry's deadline
// itself and passes it in, since the queue finds an entry by deadline and key.
#pragma once

#include <set>
#include <utility>

#include "turnpike/base/time.hpp"

namespace turnpike {

template <typename Key>
class Deadlines {
 public:
  // Sets the deadline of `key` to `at`. `held` is the owner's copy: it has the old deadline, and gets the new
  // one. When it throws std::bad_alloc, nothing has changed.
  void set(const Key& key, SteadyTime& held, SteadyTime at) {
    queue_.emplace(at, key);
    if (held != at) clear(key, held);
    held = at;
  }
  // Removes the deadline of `key`. Does nothing when the key has none.
  void clear(const Key& key, SteadyTime held) { queue_.erase({held, key}); }

  // The earliest deadline; SteadyTime::max() when there is none.
  SteadyTime next() const { return queue_.empty() ? SteadyTime::max() : queue_.begin()->first; }
  // The key of the earliest deadline. There must be one.
  Key first() const { return queue_.begin()->second; }

 private:
  std::set<std::pair<SteadyTime, Key>> queue_;
};

}  // namespace turnpike
