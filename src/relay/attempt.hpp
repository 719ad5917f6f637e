// Lets a worker continue when there is no memory: only the action that needed memory is abandoned and
// counted, and all other clients are still served.
#pragma once

#include <new>

#include "turnpike/base/counter.hpp"

namespace turnpike::relay {

// Calls `act`. When it throws std::bad_alloc, this adds one to `out_of_memory` and returns false.
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
