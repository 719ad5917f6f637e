// What one turn::Server has counted since its start.
#pragma once

#include "turnpike/base/counter.hpp"

namespace turnpike::turn {

struct Counters {
  Counter client_malformed;
  Counter client_unexpected;
  Counter requests;
  Counter refusals;
  Counter redirects;
  Counter answers_withheld;
  Counter failures_withheld;
  Counter out_of_memory;
  Counter to_peer;
  Counter to_peer_bytes;
  Counter to_peer_refused;
  Counter to_client;
  Counter to_client_bytes;
  Counter to_client_refused;
  Counter allocations_created;
  Counter allocations_deleted;
  Counter expiry_steps;
};

}  // namespace turnpike::turn

namespace turnpike {

template <>
inline constexpr auto kCounterList<turn::Counters> = std::to_array<CounterRow<turn::Counters>>({
    {"malformed", &turn::Counters::client_malformed,
     "Messages of clients that are neither STUN nor ChannelData, or broken.", "dropped_total",
     R"(reason="malformed")"},
    {"unexpected", &turn::Counters::client_unexpected,
     "Messages of a class or method that a server does not take.", "dropped_total", R"(reason="unexpected")"},
    {"requests", &turn::Counters::requests, "Requests that were read."},
    {"refusals", &turn::Counters::refusals, "Requests that were answered with an error."},
    {"redirects", &turn::Counters::redirects, "Refusals that named another server.", "redirects_total"},
    {"withheld", &turn::Counters::answers_withheld,
     "Requests without an answer, since the source had used up its unauthenticated answers.", "refused_total",
     R"(reason="unauthenticated_per_second")"},
    {"failures_withheld", &turn::Counters::failures_withheld,
     "Requests without an answer, since the source had used up its answers to wrong credentials.",
     "refused_total", R"(reason="failures_per_second")"},
    {"out_of_memory", &turn::Counters::out_of_memory, "Requests that were refused for want of memory.",
     "refused_total", R"(reason="out_of_memory")"},
    {"to_peer", &turn::Counters::to_peer, "Datagrams that were sent to peers."},
    {"to_peer_bytes", &turn::Counters::to_peer_bytes, "Octets of payload in them."},
    {"to_peer_refused", &turn::Counters::to_peer_refused,
     "Data of clients without an allocation, a channel or a permission for it.", "dropped_total",
     R"(reason="client_without_permission")"},
    {"to_client", &turn::Counters::to_client, "Datagrams of peers that were sent to clients."},
    {"to_client_bytes", &turn::Counters::to_client_bytes, "Octets of payload in them."},
    {"to_client_refused", &turn::Counters::to_client_refused, "Datagrams of peers that have no permission.",
     "dropped_total", R"(reason="peer_without_permission")"},
    {"allocations", &turn::Counters::allocations_created, "Allocations that were made."},
    {"allocations_deleted", &turn::Counters::allocations_deleted, "Allocations that ended."},
    {"expiry_steps", &turn::Counters::expiry_steps, "Entries of tables that expiry has looked at.",
     "expiry_steps_total"},
});
static_assert(lists_all<turn::Counters>());

}  // namespace turnpike
