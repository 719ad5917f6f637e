// Counts the refusals of signaling and of the admin listener by their reasons. The list of reasons is closed,
// and each has a series from the start. The log has the same refusals with more detail; see RefusalLog.
#pragma once

#include <string_view>

#include "turnpike/base/counter.hpp"

namespace turnpike::daemon {

struct SignalingRefusals {
  Counter handshake;
  Counter origin;
  Counter host;
  Counter message;
  Counter slow_reader;
  Counter session;
  Counter rate_limited;
  Counter room_full;
  Counter too_many_rooms;
  Counter token_required;
  Counter token_invalid;
  Counter token_expired;
  Counter token_not_yet_valid;
  Counter token_revoked;
};

struct AdminRefusals {
  Counter connection;
  Counter host;
  Counter origin;
  Counter token;
};

// `what` is http::Refused::what, which the list has as the name of a counter. What has a counter elsewhere is
// not in the list.
template <class Refusals>
void count_refusal(Refusals& refusals, std::string_view what) {
  for (const CounterRow<Refusals>& row : kCounterList<Refusals>) {
    if (row.name == what) ++(refusals.*row.counter);
  }
}

}  // namespace turnpike::daemon

namespace turnpike {

template <>
inline constexpr auto kCounterList<daemon::SignalingRefusals> =
    std::to_array<CounterRow<daemon::SignalingRefusals>>({
        {"handshake", &daemon::SignalingRefusals::handshake,
         "TLS handshakes at https listeners refused, since the source had begun as many as it may.",
         "refused_total", R"(reason="signaling_handshakes")"},
        {"origin", &daemon::SignalingRefusals::origin, "Requests of pages that signaling.cors does not name.",
         "refused_total", R"(reason="signaling_origin")"},
        {"host", &daemon::SignalingRefusals::host, "Requests for names that are not those of this server.",
         "refused_total", R"(reason="signaling_host")"},
        {"message", &daemon::SignalingRefusals::message, "Messages that were longer than the limit.",
         "refused_total", R"(reason="signaling_message")"},
        {"slow-reader", &daemon::SignalingRefusals::slow_reader,
         "Clients that were disconnected, because they did not read their messages.", "refused_total",
         R"(reason="signaling_slow_reader")"},
        {"session", &daemon::SignalingRefusals::session,
         "Sessions of Socket.IO that were refused, because their address had reached its limit.",
         "refused_total", R"(reason="signaling_session")"},
        {"rate-limited", &daemon::SignalingRefusals::rate_limited,
         "Requests that were refused, because their address had sent too many requests or bytes.",
         "refused_total", R"(reason="signaling_rate_limited")"},
        {"room-full", &daemon::SignalingRefusals::room_full,
         "Members that were refused, because the room was full.", "refused_total",
         R"(reason="signaling_room_full")"},
        {"too-many-rooms", &daemon::SignalingRefusals::too_many_rooms,
         "Rooms that were refused, because their address had reached its limit.", "refused_total",
         R"(reason="signaling_too_many_rooms")"},
        {"token-required", &daemon::SignalingRefusals::token_required, "Clients without a token.",
         "refused_total", R"(reason="signaling_token_required")"},
        {"token-invalid", &daemon::SignalingRefusals::token_invalid, "Clients with an invalid token.",
         "refused_total", R"(reason="signaling_token_invalid")"},
        {"token-expired", &daemon::SignalingRefusals::token_expired, "Clients with an expired token.",
         "refused_total", R"(reason="signaling_token_expired")"},
        {"token-not-yet-valid", &daemon::SignalingRefusals::token_not_yet_valid,
         "Clients with a token that is not valid yet.", "refused_total",
         R"(reason="signaling_token_not_yet_valid")"},
        {"token-revoked", &daemon::SignalingRefusals::token_revoked,
         "Clients with a token that an operator has revoked.", "refused_total",
         R"(reason="signaling_token_revoked")"},
    });
static_assert(lists_all<daemon::SignalingRefusals>());

template <>
inline constexpr auto kCounterList<daemon::AdminRefusals> = std::to_array<CounterRow<daemon::AdminRefusals>>({
    {"connection", &daemon::AdminRefusals::connection, "Connections to the admin listener refused.",
     "refused_total", R"(reason="admin_connection")"},
    {"host", &daemon::AdminRefusals::host, "Requests to the admin listener for other names.", "refused_total",
     R"(reason="admin_host")"},
    {"origin", &daemon::AdminRefusals::origin, "Requests of other pages to the admin listener.",
     "refused_total", R"(reason="admin_origin")"},
    {"token", &daemon::AdminRefusals::token, "Requests to the admin listener without a valid token.",
     "refused_total", R"(reason="admin_token")"},
});
static_assert(lists_all<daemon::AdminRefusals>());

}  // namespace turnpike
