// The counters of the daemon itself since its start.
#pragma once

#include "turnpike/base/counter.hpp"

namespace turnpike::daemon {

struct DaemonCounters {
  Counter reloads_done;
  Counter reloads_failed;
};

}  // namespace turnpike::daemon

namespace turnpike {

template <>
inline constexpr auto kCounterList<daemon::DaemonCounters> =
    std::to_array<CounterRow<daemon::DaemonCounters>>({
        {"reloads", &daemon::DaemonCounters::reloads_done, "How often the configuration was read again.",
         "reloads_total", R"(result="ok")"},
        {"reloads_failed", &daemon::DaemonCounters::reloads_failed,
         "How often that failed, and nothing was changed.", "reloads_total", R"(result="failed")"},
    });
static_assert(lists_all<daemon::DaemonCounters>());

}  // namespace turnpike
