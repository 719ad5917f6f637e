// How a worker does without memory: the one thing that wanted it is given up and counted, and everybody else
// is served all the same.
#pragma once

#include <new>

#include "turnpike/base/counter.hpp"

namespace turnpike::relay {

// Calls `act`. Returns false, and counts, when there was no memory for it.
template <class Act>
bool attempt(Counter& out_of_memory, Act&& act) {
  try {
    act();
    return true;
  } catch (const std::bad_alloc&) {
    ++out_of_memory;
    return false;
  }
}

}  // namespace turnpike::relay
