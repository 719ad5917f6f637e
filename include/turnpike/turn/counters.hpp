// The counters of one turn::Server.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "turnpike/base/counter.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::turn {

struct Counters {
  Counter client_malformed;
  Counter client_unexpected;
  Counter client_denied;
  Counter requests;
  Counter refusals;
  Counter redirects;
  Counter answers_withheld;
  Counter bindings_withheld;
  Counter failures;
  Counter failures_withheld;
  Counter expired_credentials;
  Counter out_of_memory;
  Counter to_peer;
  Counter to_peer_bytes;
  Counter to_peer_refused;
  Counter to_client;
  Counter to_client_bytes;
  Counter to_client_refused;
  Counter relay_to_relay;
  Counter relay_to_worker;
  Counter over_allocations;
  Counter over_allocations_of_user;
  Counter over_allocations_of_address;
  Counter over_permissions;
  Counter over_channels;
  Counter over_connections;
  Counter over_connections_of_user;
  Counter peers_denied;
  Counter over_server_rate;
  Counter over_user_rate;
  Counter over_allocation_rate;
  Counter allocations_created;
  Counter allocations_deleted;
  Counter expiry_steps;
};

// Answers by method and by error code; code 0 means success.
class RequestCounters {
 public:
  static constexpr std::array kMethods = {stun::Method::binding,        stun::Method::allocate,
                                          stun::Method::refresh,        stun::Method::create_permission,
                                          stun::Method::channel_bind,   stun::Method::connect,
                                          stun::Method::connection_bind};
  static constexpr std::array<std::uint16_t, 17> kCodes = {0,   300, 400, 401, 403, 420, 437, 438, 440,
                                                           441, 442, 443, 446, 447, 486, 500, 508};

  void count(stun::Method method, stun::ErrorCode code) { add(method, static_cast<std::uint16_t>(code)); }
  void count_success(stun::Method method) { add(method, 0); }

  // Calls visit(method, code, count) for each pair of method and code.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (std::size_t m = 0; m < kMethods.size(); ++m) {
      for (std::size_t c = 0; c < kCodes.size(); ++c) visit(kMethods[m], kCodes[c], counts_[m][c].value());
    }
  }
  RequestCounters& operator+=(const RequestCounters& more) {
    for (std::size_t m = 0; m < kMethods.size(); ++m) {
      for (std::size_t c = 0; c < kCodes.size(); ++c) counts_[m][c] += more.counts_[m][c];
    }
    return *this;
  }

 private:
  void add(stun::Method method, std::uint16_t code) {
    const auto m = static_cast<std::size_t>(std::ranges::find(kMethods, method) - kMethods.begin());
    const auto c = static_cast<std::size_t>(std::ranges::find(kCodes, code) - kCodes.begin());
    if (m < kMethods.size() && c < kCodes.size()) ++counts_[m][c];
  }

  std::array<std::array<Counter, kCodes.size()>, kMethods.size()> counts_;
};

// Payload in one direction.
struct Traffic {
  Counter packets;
  Counter bytes;

  void count(std::size_t size) {
    ++packets;
    bytes += size;
  }
  Traffic& operator+=(const Traffic& more) {
    packets += more.packets;
    bytes += more.bytes;
    return *this;
  }
};

// Counters for one transport between client and server. Allocations are also counted by the family of their
// first relayed address.
struct TransportCounters {
  Traffic from_clients;
  Traffic to_clients;
  std::array<Counter, 2> created;  // IPv4, IPv6
  std::array<Counter, 2> arrived;  // that have moved here from an address of any transport (RFC 8016)
  std::array<Counter, 2> left;     // that were deleted, or have moved away

  // How many there are now. The counters are read one after the other while the server counts, so `left` may
  // be the larger one.
  std::uint64_t present(std::size_t family) const {
    const std::uint64_t came = created[family] + arrived[family];
    return came - std::min(came, left[family].value());
  }

  TransportCounters& operator+=(const TransportCounters& more) {
    from_clients += more.from_clients;
    to_clients += more.to_clients;
    for (std::size_t i = 0; i < created.size(); ++i) {
      created[i] += more.created[i];
      arrived[i] += more.arrived[i];
      left[i] += more.left[i];
    }
    return *this;
  }
};

// Counters for metrics with several labels. As with Counters, any thread may read them while the server
// counts.
struct Breakdown {
  RequestCounters requests;
  std::array<TransportCounters, kTransports.size()> transports;

  TransportCounters& of(Transport transport) { return transports[static_cast<std::size_t>(transport)]; }
  static std::size_t index_of(Family family) { return family == Family::ipv4 ? 0 : 1; }

  Breakdown& operator+=(const Breakdown& more) {
    requests += more.requests;
    for (std::size_t i = 0; i < transports.size(); ++i) transports[i] += more.transports[i];
    return *this;
  }
};

}  // namespace turnpike::turn

namespace turnpike {

template <>
inline constexpr auto kCounterList<turn::Counters> = std::to_array<CounterRow<turn::Counters>>({
    {"malformed", &turn::Counters::client_malformed,
     "Messages of clients that are neither STUN nor ChannelData, or broken.", "dropped_total",
     R"(reason="malformed")"},
    {"unexpected", &turn::Counters::client_unexpected,
     "Messages of a class or method that is not for servers.", "dropped_total", R"(reason="unexpected")"},
    {"denied", &turn::Counters::client_denied, "Messages from networks that clients may not come from.",
     "refused_total", R"(reason="clients")"},
    {"requests", &turn::Counters::requests, "Requests that were read."},
    {"refusals", &turn::Counters::refusals, "Requests that were answered with an error."},
    {"redirects", &turn::Counters::redirects, "Refusals that named another server.", "redirects_total"},
    {"withheld", &turn::Counters::answers_withheld,
     "Requests without an answer, since the source had used up its unauthenticated answers.", "refused_total",
     R"(reason="unauthenticated_per_second")"},
    {"bindings_withheld", &turn::Counters::bindings_withheld,
     "Binding requests without an answer, since the source had used up its Binding answers.", "refused_total",
     R"(reason="bindings_per_second")"},
    {"failures", &turn::Counters::failures, "Requests with wrong credentials, or with expired ones.",
     "authentication_failures_total", R"(reason="wrong")"},
    {"failures_withheld", &turn::Counters::failures_withheld,
     "Requests without an answer, since the source had used up its answers to wrong credentials.",
     "refused_total", R"(reason="failures_per_second")"},
    {"expired_credentials", &turn::Counters::expired_credentials,
     "Requests with wrong credentials, or with expired ones.", "authentication_failures_total",
     R"(reason="expired")"},
    {"out_of_memory", &turn::Counters::out_of_memory,
     "Requests that were refused, because there was no memory left.", "refused_total",
     R"(reason="out_of_memory")"},
    {"to_peer", &turn::Counters::to_peer, "Datagrams that were sent to peers.", "relay_packets_total",
     R"(side="peer",direction="tx",transport="udp")"},
    {"to_peer_bytes", &turn::Counters::to_peer_bytes, "Octets of payload in them.", "relay_bytes_total",
     R"(side="peer",direction="tx",transport="udp")"},
    {"to_peer_refused", &turn::Counters::to_peer_refused,
     "Data of clients without an allocation, a channel or a permission for it.", "dropped_total",
     R"(reason="client_without_permission")"},
    {"to_client", &turn::Counters::to_client, "Datagrams of peers that were sent to clients.",
     "relay_packets_total", R"(side="peer",direction="rx",transport="udp")"},
    {"to_client_bytes", &turn::Counters::to_client_bytes, "Octets of payload in them.", "relay_bytes_total",
     R"(side="peer",direction="rx",transport="udp")"},
    {"to_client_refused", &turn::Counters::to_client_refused, "Datagrams of peers that have no permission.",
     "dropped_total", R"(reason="peer_without_permission")"},
    {"relay_to_relay", &turn::Counters::relay_to_relay,
     "Datagrams from one relayed address here to another, without the kernel. They are counted as sent and "
     "as received too.",
     "relay_to_relay_packets_total", R"(worker="same")"},
    {"relay_to_worker", &turn::Counters::relay_to_worker, "The same, to a relayed address of another worker.",
     "relay_to_relay_packets_total", R"(worker="other")"},
    {"over_allocations", &turn::Counters::over_allocations,
     "Allocations refused, since there were as many as there may be.", "refused_total",
     R"(reason="allocations")"},
    {"over_allocations_of_user", &turn::Counters::over_allocations_of_user,
     "Allocations refused, since their user had as many as one may have.", "refused_total",
     R"(reason="allocations_per_user")"},
    {"over_allocations_of_address", &turn::Counters::over_allocations_of_address,
     "Allocations refused, since their address had as many as one may have.", "refused_total",
     R"(reason="allocations_per_address")"},
    {"over_permissions", &turn::Counters::over_permissions,
     "Requests refused, since their allocation had as many permissions as one may have.", "refused_total",
     R"(reason="permissions_per_allocation")"},
    {"over_channels", &turn::Counters::over_channels,
     "Requests refused, since their allocation had as many channels as one may have.", "refused_total",
     R"(reason="channels_per_allocation")"},
    {"over_connections", &turn::Counters::over_connections,
     "Connections with peers refused, since there were as many as there may be.", "refused_total",
     R"(reason="peer_connections")"},
    {"over_connections_of_user", &turn::Counters::over_connections_of_user,
     "Connections with peers refused, since their user had as many as one may have.", "refused_total",
     R"(reason="peer_connections_per_user")"},
    {"peers_denied", &turn::Counters::peers_denied, "Requests for peers that clients may not reach.",
     "refused_total", R"(reason="peer_denied")"},
    {"over_server_rate", &turn::Counters::over_server_rate,
     "Datagrams that were dropped because all clients together had relayed as much as they may.",
     "dropped_total", R"(reason="bytes_per_second")"},
    {"over_user_rate", &turn::Counters::over_user_rate,
     "Datagrams that were dropped because their user had relayed as much as one may.", "dropped_total",
     R"(reason="bytes_per_second_per_user")"},
    {"over_allocation_rate", &turn::Counters::over_allocation_rate,
     "Datagrams that were dropped because their allocation had relayed as much as one may.", "dropped_total",
     R"(reason="bytes_per_second_per_allocation")"},
    {"allocations", &turn::Counters::allocations_created, "Allocations that were made."},
    {"allocations_deleted", &turn::Counters::allocations_deleted, "Allocations that ended."},
    {"expiry_steps", &turn::Counters::expiry_steps, "Entries of tables that expiry has looked at.",
     "expiry_steps_total"},
});
static_assert(lists_all<turn::Counters>());

}  // namespace turnpike
