// The counters of one worker's sockets and connections.
#pragma once

#include <cerrno>

#include "turnpike/base/counter.hpp"
#include "turnpike/base/histogram.hpp"

namespace turnpike::net {

// How many datagrams each run had. A run passes through the kernel as one (UDP_GRO, UDP_SEGMENT).
using RunLengths = Histogram<1, 6>;

// Datagrams sent to clients and to peers.
struct SendCounters {
  Counter sent;
  Counter dropped_full;
  Counter dropped_failed;

  // Counts the result of sending one datagram: 0 or an errno.
  void count(int error) {
    ++(error == 0 ? sent : error == EAGAIN || error == ENOBUFS ? dropped_full : dropped_failed);
  }
};

// Connections by TCP and by TLS.
struct StreamCounters {
  Counter media_dropped;
  Counter too_slow;
  Counter handshakes_failed;
};

struct DtlsCounters {
  Counter handshakes_failed;
  Counter too_long;
  Counter early_dropped;
  Counter implausible;
};

}  // namespace turnpike::net

namespace turnpike {

template <>
inline constexpr auto kCounterList<net::SendCounters> = std::to_array<CounterRow<net::SendCounters>>({
    {"sent", &net::SendCounters::sent, "Datagrams that the kernel took.", "datagrams_sent_total"},
    {"dropped_full", &net::SendCounters::dropped_full, "Datagrams that the kernel had no room for.",
     "dropped_total", R"(reason="send_buffer_full")"},
    {"dropped_failed", &net::SendCounters::dropped_failed,
     "Datagrams that the kernel refused, such as those that are too long or have no route.", "dropped_total",
     R"(reason="send_failed")"},
});
static_assert(lists_all<net::SendCounters>());

template <>
inline constexpr auto kCounterList<net::StreamCounters> = std::to_array<CounterRow<net::StreamCounters>>({
    {"media_dropped", &net::StreamCounters::media_dropped,
     "Data that was dropped, because a client by TCP or TLS read too slowly.", "dropped_total",
     R"(reason="client_too_slow")"},
    {"too_slow", &net::StreamCounters::too_slow,
     "Connections that were closed, because too many control messages waited for their clients.",
     "connections_closed_total", R"(reason="too_slow")"},
    {"handshakes_failed", &net::StreamCounters::handshakes_failed, "TLS handshakes that failed.",
     "tls_handshakes_total", R"(protocol="tls",result="failed")"},
});
static_assert(lists_all<net::StreamCounters>());

template <>
inline constexpr auto kCounterList<net::DtlsCounters> = std::to_array<CounterRow<net::DtlsCounters>>({
    {"handshakes_failed", &net::DtlsCounters::handshakes_failed, "DTLS handshakes that failed.",
     "tls_handshakes_total", R"(protocol="dtls",result="failed")"},
    {"too_long", &net::DtlsCounters::too_long, "Messages to clients that no DTLS record can hold.",
     "dropped_total", R"(reason="too_long_for_dtls")"},
    {"early_dropped", &net::DtlsCounters::early_dropped,
     "DTLS records that came before their keys, beyond the number that is kept.", "dropped_total",
     R"(reason="early_dtls_record")"},
    {"implausible", &net::DtlsCounters::implausible,
     "DTLS records that a client does not send in a successful handshake.", "dropped_total",
     R"(reason="implausible_dtls_record")"},
});
static_assert(lists_all<net::DtlsCounters>());

}  // namespace turnpike
