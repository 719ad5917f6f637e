// The counters of the workers since the start. Each part of a worker has its own struct. Totals has all of
// them; logs and metrics are made from it.
#pragma once

#include <tuple>

#include "net/counters.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/base/histogram.hpp"
#include "turnpike/turn/counters.hpp"

namespace turnpike::relay {

// Clients by TCP and TLS.
struct ConnectionCounters {
  Counter accepted;
  Counter refused;
  Counter denied;
  Counter untrusted;
  Counter timed_out;
  Counter handshakes_begun;
  Counter handshakes_established;
  Counter handshakes_withheld;
  Counter out_of_descriptors;
  Counter out_of_memory;
};

// Clients by DTLS.
struct AssociationCounters {
  Counter hellos_answered;
  Counter hellos_withheld;
  Counter begun;
  Counter established;
  Counter handshakes_withheld;
  Counter refused;
  Counter denied;
  Counter evicted;
  Counter timed_out;
  Counter unmatched;
  Counter out_of_memory;
};

// Clients by UDP and DTLS that come through load balancers.
struct ProxyCounters {
  Counter begun;
  Counter evicted;
  Counter no_room;
  Counter untrusted;
  Counter malformed;
  Counter without_header;
  Counter contradicted;
  Counter unreachable;
};

// RFC 6062: data connections.
struct TcpRelayCounters {
  Counter joined;
  Counter slowed;
  Counter to_peer_bytes;
  Counter to_client_bytes;
  Counter out_of_descriptors;
  Counter out_of_memory;
};

struct RelaySocketCounters {
  Counter out_of_descriptors;
  Counter no_socket;
  Counter out_of_ports;
};

// The counters of a worker that belong to none of its parts.
struct WorkerCounters {
  Counter out_of_memory;
  Counter dtls_lost;
};

struct MailCounters {
  Counter dropped;
};

// Histograms of the passes of a worker. A pass is the work from one wait to the next.
struct Histograms {
  Histogram<0, 8> pass_datagrams;  // that it relayed
  Histogram<10, 24> pass_ns;       // how long it took
  Histogram<14, 22> pause_ns;      // how long a pause after it was; see BatchPacer
  net::RunLengths received_runs;   // of datagrams, which the kernel handed over as one
  net::RunLengths sent_runs;       // of datagrams to peers and to clients by UDP

  Histograms& operator+=(const Histograms& more) {
    pass_datagrams += more.pass_datagrams;
    pass_ns += more.pass_ns;
    pause_ns += more.pause_ns;
    received_runs += more.received_runs;
    sent_runs += more.sent_runs;
    return *this;
  }
};

}  // namespace turnpike::relay

namespace turnpike {

template <>
inline constexpr auto kCounterList<relay::ConnectionCounters> = std::to_array<
    CounterRow<relay::ConnectionCounters>>({
    {"accepted", &relay::ConnectionCounters::accepted, "Connections of clients that were accepted.",
     "connections_accepted_total"},
    {"refused", &relay::ConnectionCounters::refused,
     "Connections that were refused, because the limit of the address or that of all clients was reached.",
     "refused_total", R"(reason="idle_connections")"},
    {"denied", &relay::ConnectionCounters::denied,
     "Connections from networks that clients may not come from.", "refused_total",
     R"(reason="clients_by_stream")"},
    {"untrusted", &relay::ConnectionCounters::untrusted,
     "Connections to a listener with load balancers in front that came from somebody else.", "refused_total",
     R"(reason="untrusted_proxy")"},
    {"timed_out", &relay::ConnectionCounters::timed_out,
     "Connections that were closed, because there was no handshake, message or allocation in time.",
     "connections_closed_total", R"(reason="timed_out")"},
    {"handshakes_begun", &relay::ConnectionCounters::handshakes_begun, "TLS handshakes begun.",
     "tls_handshakes_total", R"(protocol="tls",result="begun")"},
    {"handshakes_established", &relay::ConnectionCounters::handshakes_established,
     "TLS handshakes that succeeded.", "tls_handshakes_total", R"(protocol="tls",result="established")"},
    {"handshakes_withheld", &relay::ConnectionCounters::handshakes_withheld,
     "TLS handshakes refused, since the source had begun as many as it may.", "tls_handshakes_total",
     R"(protocol="tls",result="withheld")"},
    {"out_of_descriptors", &relay::ConnectionCounters::out_of_descriptors,
     "Connections that were refused, because there were no descriptors left.", "refused_total",
     R"(reason="out_of_descriptors_for_client")"},
    {"out_of_memory", &relay::ConnectionCounters::out_of_memory,
     "Connections that were closed, because there was no memory left.", "connections_closed_total",
     R"(reason="out_of_memory")"},
});
static_assert(lists_all<relay::ConnectionCounters>());

template <>
inline constexpr auto kCounterList<relay::AssociationCounters> =
    std::to_array<CounterRow<relay::AssociationCounters>>({
        {"hellos_answered", &relay::AssociationCounters::hellos_answered,
         "DTLS hellos answered with a cookie.", "dtls_hellos_total", R"(result="answered")"},
        {"hellos_withheld", &relay::AssociationCounters::hellos_withheld,
         "DTLS hellos without an answer, since the source had used up its unauthenticated answers.",
         "dtls_hellos_total", R"(result="withheld")"},
        {"begun", &relay::AssociationCounters::begun, "DTLS handshakes begun, whose cookies came back.",
         "tls_handshakes_total", R"(protocol="dtls",result="begun")"},
        {"established", &relay::AssociationCounters::established, "DTLS handshakes that succeeded.",
         "tls_handshakes_total", R"(protocol="dtls",result="established")"},
        {"handshakes_withheld", &relay::AssociationCounters::handshakes_withheld,
         "DTLS handshakes refused, since the source had begun as many as it may.", "tls_handshakes_total",
         R"(protocol="dtls",result="withheld")"},
        {"refused", &relay::AssociationCounters::refused,
         "DTLS handshakes that were refused, because the limit of the address or that of all clients was "
         "reached.",
         "refused_total", R"(reason="idle_associations")"},
        {"denied", &relay::AssociationCounters::denied,
         "DTLS datagrams from networks that clients may not come from.", "refused_total",
         R"(reason="clients_by_dtls")"},
        {"evicted", &relay::AssociationCounters::evicted,
         "DTLS handshakes that were ended to make room for newer ones.", "tls_handshakes_total",
         R"(protocol="dtls",result="evicted")"},
        {"timed_out", &relay::AssociationCounters::timed_out,
         "Associations that were closed, because there was no handshake, message or allocation in time.",
         "associations_closed_total", R"(reason="timed_out")"},
        {"unmatched", &relay::AssociationCounters::unmatched,
         "Datagrams that belong to no association and begin none.", "dropped_total",
         R"(reason="unmatched_dtls")"},
        {"out_of_memory", &relay::AssociationCounters::out_of_memory,
         "DTLS handshakes that were ended, because there was no memory left.", "associations_closed_total",
         R"(reason="out_of_memory")"},
    });
static_assert(lists_all<relay::AssociationCounters>());

template <>
inline constexpr auto kCounterList<relay::ProxyCounters> = std::to_array<CounterRow<relay::ProxyCounters>>({
    {"begun", &relay::ProxyCounters::begun, "Flows of clients through load balancers, by UDP.",
     "proxied_flows_total", R"(result="begun")"},
    {"evicted", &relay::ProxyCounters::evicted,
     "Flows through load balancers that were removed to make room for newer ones.", "proxied_flows_total",
     R"(result="evicted")"},
    {"no_room", &relay::ProxyCounters::no_room,
     "Datagrams of load balancers that would have begun a flow when there was no room for one.",
     "refused_total", R"(reason="proxied_flows")"},
    {"untrusted", &relay::ProxyCounters::untrusted,
     "Datagrams to a listener with load balancers in front that came from somebody else.", "dropped_total",
     R"(reason="untrusted_proxy")"},
    {"malformed_headers", &relay::ProxyCounters::malformed,
     "Datagrams whose header of the PROXY protocol is malformed.", "dropped_total",
     R"(reason="malformed_proxy_header")"},
    {"without_header", &relay::ProxyCounters::without_header,
     "Datagrams of load balancers that do not name their client.", "dropped_total",
     R"(reason="missing_proxy_header")"},
    {"contradicted", &relay::ProxyCounters::contradicted,
     "Datagrams whose header of the PROXY protocol names another client than the one before.",
     "dropped_total", R"(reason="contradicted_proxy_header")"},
    {"unreachable", &relay::ProxyCounters::unreachable,
     "Datagrams to clients whose flow through a load balancer has ended.", "dropped_total",
     R"(reason="proxied_flow_over")"},
});
static_assert(lists_all<relay::ProxyCounters>());

template <>
inline constexpr auto kCounterList<relay::TcpRelayCounters> =
    std::to_array<CounterRow<relay::TcpRelayCounters>>({
        {"joined_with_peers", &relay::TcpRelayCounters::joined,
         "Data connections joined with their peers (RFC 6062).", "peer_connections_total"},
        {"slowed", &relay::TcpRelayCounters::slowed,
         "Pauses of a data connection that had reached a limit of octets per second.",
         "data_connections_slowed_total"},
        {"to_peer_bytes", &relay::TcpRelayCounters::to_peer_bytes, "Octets sent to peers by TCP.",
         "relay_bytes_total", R"(side="peer",direction="tx",transport="tcp")"},
        {"to_client_bytes", &relay::TcpRelayCounters::to_client_bytes, "Octets received from peers by TCP.",
         "relay_bytes_total", R"(side="peer",direction="rx",transport="tcp")"},
        {"out_of_descriptors", &relay::TcpRelayCounters::out_of_descriptors,
         "Connections with peers that were refused, because there were no descriptors left.", "refused_total",
         R"(reason="out_of_descriptors_for_peer")"},
        {"out_of_memory", &relay::TcpRelayCounters::out_of_memory,
         "Connections with peers that were closed, because there was no memory left.", "refused_total",
         R"(reason="out_of_memory_for_peer")"},
    });
static_assert(lists_all<relay::TcpRelayCounters>());

template <>
inline constexpr auto kCounterList<relay::RelaySocketCounters> =
    std::to_array<CounterRow<relay::RelaySocketCounters>>({
        {"out_of_descriptors", &relay::RelaySocketCounters::out_of_descriptors,
         "Allocations that were refused, because there were no descriptors left.", "refused_total",
         R"(reason="out_of_descriptors_for_relay")"},
        {"no_socket", &relay::RelaySocketCounters::no_socket,
         "Allocations refused, since the system gave no socket at the relayed address, as when it has left "
         "this machine.",
         "refused_total", R"(reason="relay_socket")"},
        {"out_of_ports", &relay::RelaySocketCounters::out_of_ports,
         "Allocations that were refused, because no suitable port was free.", "refused_total",
         R"(reason="relay_ports")"},
    });
static_assert(lists_all<relay::RelaySocketCounters>());

template <>
inline constexpr auto kCounterList<relay::WorkerCounters> = std::to_array<CounterRow<relay::WorkerCounters>>({
    {"left_undone", &relay::WorkerCounters::out_of_memory,
     "Actions that a worker did not carry out, because there was no memory left.", "dropped_total",
     R"(reason="out_of_memory")"},
    {"dtls_lost", &relay::WorkerCounters::dtls_lost,
     "Datagrams to clients by DTLS that were dropped, because the buffers were full.", "dropped_total",
     R"(reason="dtls_buffers_full")"},
});
static_assert(lists_all<relay::WorkerCounters>());

template <>
inline constexpr auto kCounterList<relay::MailCounters> = std::to_array<CounterRow<relay::MailCounters>>({
    {"mail_dropped", &relay::MailCounters::dropped,
     "Messages between workers that were dropped, because the mailbox was full.", "dropped_total",
     R"(reason="mailbox_full")"},
});
static_assert(lists_all<relay::MailCounters>());

}  // namespace turnpike

namespace turnpike::relay {

// The counters of one worker, or of all of them together.
struct Totals {
  std::tuple<turn::Counters, net::SendCounters, ConnectionCounters, net::StreamCounters, AssociationCounters,
             net::DtlsCounters, ProxyCounters, TcpRelayCounters, RelaySocketCounters, WorkerCounters,
             MailCounters>
      parts;
  turn::Breakdown breakdown;
  Histograms histograms;

  template <class Counters>
  const Counters& of() const {
    return std::get<Counters>(parts);
  }
  template <class Counters>
  void add(const Counters& more) {
    add_counters(std::get<Counters>(parts), more);
  }
  // Calls `visit` with each part, all of which have a list of counters.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    std::apply([&](const auto&... part) { (visit(part), ...); }, parts);
  }
};

}  // namespace turnpike::relay
