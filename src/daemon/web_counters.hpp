// The counters of connections that are passed on to a web server.
#pragma once

#include "turnpike/base/counter.hpp"

namespace turnpike::daemon {

struct WebCounters {
  Counter passed;
  Counter refused;
  Counter unreachable;
  Counter timed_out;
  Counter to_web_bytes;
  Counter to_client_bytes;
};

}  // namespace turnpike::daemon

namespace turnpike {

template <>
inline constexpr auto kCounterList<daemon::WebCounters> = std::to_array<CounterRow<daemon::WebCounters>>({
    {"passed", &daemon::WebCounters::passed, "Connections that were passed on to a web server.",
     "web_connections_total"},
    {"refused", &daemon::WebCounters::refused,
     "Connections for a web server that were refused, because the limit of the address or that of all "
     "clients was reached.",
     "refused_total", R"(reason="web_connections")"},
    {"unreachable", &daemon::WebCounters::unreachable,
     "Connections that were closed, because their web server did not accept them.",
     "web_connections_closed_total", R"(reason="unreachable")"},
    {"timed_out", &daemon::WebCounters::timed_out,
     "Connections to a web server that were closed, because no data had passed for too long.",
     "web_connections_closed_total", R"(reason="timed_out")"},
    {"to_web_bytes", &daemon::WebCounters::to_web_bytes,
     "Octets passed on, to web servers (tx) and from them (rx).", "web_bytes_total", R"(direction="tx")"},
    {"to_client_bytes", &daemon::WebCounters::to_client_bytes,
     "Octets passed on, to web servers (tx) and from them (rx).", "web_bytes_total", R"(direction="rx")"},
});
static_assert(lists_all<daemon::WebCounters>());

}  // namespace turnpike
