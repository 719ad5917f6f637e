// The counters of the HTTP server of signaling.
#pragma once

#include "turnpike/base/counter.hpp"

namespace turnpike::http {

struct Counters {
  Counter connections;
  Counter refused;
  Counter requests;
  Counter web_sockets;
  Counter dropped_slow;
  Counter rests;
  Counter closed_for_cost;
};

// Messages of clients, by protocol.
struct SiteCounters {
  Counter plain;
  Counter socket_io;
  Counter chat;
};

}  // namespace turnpike::http

namespace turnpike {

template <>
inline constexpr auto kCounterList<http::SiteCounters> = std::to_array<CounterRow<http::SiteCounters>>({
    {"plain_messages", &http::SiteCounters::plain, "Messages of clients to the signaling.",
     "signaling_messages_total", R"(protocol="plain")"},
    {"socket_io_messages", &http::SiteCounters::socket_io, "Messages of clients to the signaling.",
     "signaling_messages_total", R"(protocol="socket_io")"},
    {"chat_messages", &http::SiteCounters::chat, "Messages of clients to the signaling.",
     "signaling_messages_total", R"(protocol="chat")"},
});
static_assert(lists_all<http::SiteCounters>());

template <>
inline constexpr auto kCounterList<http::Counters> = std::to_array<CounterRow<http::Counters>>({
    {"connections", &http::Counters::connections, "Connections that were accepted.",
     "http_connections_total"},
    {"refused", &http::Counters::refused,
     "Connections that were refused, because the limit of the address or that of all clients was reached.",
     "refused_total", R"(reason="signaling_connections")"},
    {"requests", &http::Counters::requests, "Requests that were read.", "http_requests_total"},
    {"web_sockets", &http::Counters::web_sockets, "WebSockets that were opened.", "web_sockets_total"},
    {"dropped_slow", &http::Counters::dropped_slow, "WebSockets closed, since their clients did not read.",
     "web_sockets_closed_total", R"(reason="too_slow")"},
    {"rests", &http::Counters::rests, "How often a WebSocket waited, since its address had cost too much.",
     "web_socket_rests_total"},
    {"closed_dear", &http::Counters::closed_for_cost,
     "WebSockets closed, since they would have had to wait for too long.", "web_sockets_closed_total",
     R"(reason="rate_limited")"},
});
static_assert(lists_all<http::Counters>());

}  // namespace turnpike
