#include "daemon/metrics.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <map>

#include "daemon/log.hpp"
#include "turnpike/signaling/ice_servers.hpp"

#ifndef TURNPIKE_VERSION
#define TURNPIKE_VERSION "unknown"
#endif

namespace turnpike::daemon {
namespace {

namespace json = boost::json;
using admin::label;

std::string_view name_of(stun::Method method) {
  switch (method) {
    case stun::Method::binding: return "binding";
    case stun::Method::allocate: return "allocate";
    case stun::Method::refresh: return "refresh";
    case stun::Method::create_permission: return "create_permission";
    case stun::Method::channel_bind: return "channel_bind";
    case stun::Method::connect: return "connect";
    case stun::Method::connection_bind: return "connection_bind";
    default: return "other";
  }
}

// Adds the metrics that have several values for each label.
void add_breakdown(std::vector<admin::Metric>& metrics, const turn::Breakdown& breakdown) {
  const auto add = [&](const char* family, const char* help, admin::MetricKind kind, std::string labels,
                       std::uint64_t value) {
    metrics.push_back({family, help, kind, std::move(labels), static_cast<double>(value)});
  };
  using enum admin::MetricKind;
  constexpr std::array<std::string_view, 2> kFamilies{"ipv4", "ipv6"};
  for (std::size_t i = 0; i < kTransports.size(); ++i) {
    const turn::TransportCounters& by = breakdown.transports[i];
    const std::string transport = label("transport", to_string(kTransports[i]));
    for (std::size_t f = 0; f < kFamilies.size(); ++f) {
      const std::string labels = transport + ',' + label("family", kFamilies[f]);
      add("allocations",
          "Present allocations, by the transport of the client and the family of the relayed address.", gauge,
          labels, by.present(f));
      add("allocations_total", "Allocations that were made.", counter, labels, by.created[f]);
    }
    const auto of_clients = [&](std::string_view direction) {
      return label("side", "client")
          .append(",")
          .append(label("direction", direction))
          .append(",")
          .append(transport);
    };
    const std::string rx = of_clients("rx");
    const std::string tx = of_clients("tx");
    add("relay_packets_total", "", counter, rx, by.from_clients.packets);
    add("relay_packets_total", "", counter, tx, by.to_clients.packets);
    add("relay_bytes_total", "", counter, rx, by.from_clients.bytes);
    add("relay_bytes_total", "", counter, tx, by.to_clients.bytes);
  }
  breakdown.requests.for_each([&](stun::Method method, std::uint16_t code, std::uint64_t count) {
    add("requests_total", "Requests that were answered, by the error code; ok is success.", counter,
        label("method", name_of(method)) + ',' + label("code", code == 0 ? "ok" : std::to_string(code)),
        count);
  });
}

void add_histograms(std::vector<admin::Metric>& metrics, const relay::Histograms& histograms) {
  constexpr double kNanosecond = 1e-9;
  metrics.push_back(admin::to_metric("pass_datagrams", "Datagrams that a pass of a worker relayed.",
                                     histograms.pass_datagrams));
  metrics.push_back(
      admin::to_metric("pass_seconds", "How long a pass of a worker took.", histograms.pass_ns, kNanosecond));
  metrics.push_back(admin::to_metric("received_run_datagrams",
                                     "Datagrams that the kernel handed over as one (UDP_GRO).",
                                     histograms.received_runs));
  metrics.push_back(admin::to_metric("sent_run_datagrams",
                                     "Datagrams that the kernel was given as one (UDP_SEGMENT).",
                                     histograms.sent_runs));
  metrics.push_back(admin::to_metric("pause_seconds",
                                     "How long a worker let datagrams gather (relay.batching).",
                                     histograms.pause_ns, kNanosecond));
}

// Returns the expiry for each name. When several certificates have the same name, for example RSA and ECDSA,
// the earliest expiry counts.
std::map<std::string, std::chrono::seconds> certificate_expiries(
    const std::vector<net::Certificate>& certificates) {
  std::map<std::string, std::chrono::seconds> expiries;
  for (const net::Certificate& certificate : certificates) {
    const auto expiry =
        std::chrono::duration_cast<std::chrono::seconds>(certificate.not_after().time_since_epoch());
    const auto [known, is_new] = expiries.emplace(certificate.public_name(), expiry);
    if (!is_new) known->second = std::min(known->second, expiry);
  }
  return expiries;
}

json::array list_certificates(const std::vector<net::Certificate>& certificates) {
  json::array list;
  for (const net::Certificate& one : certificates) {
    list.push_back({{"name", one.public_name()}, {"expires", signaling::to_rfc3339(one.not_after())}});
  }
  return list;
}

json::array list_workers(const std::vector<relay::Totals>& each) {
  json::array list;
  for (const relay::Totals& one : each) {
    const auto& core = one.of<turn::Counters>();
    const auto& streamed = one.of<relay::TcpRelayCounters>();
    // The counters are read one after the other while the worker counts, so the second may be the larger one.
    const std::uint64_t created = core.allocations_created;
    list.push_back({{"allocations", created - std::min(created, core.allocations_deleted.value())},
                    {"to_peer_bytes", core.to_peer_bytes + streamed.to_peer_bytes},
                    {"to_client_bytes", core.to_client_bytes + streamed.to_client_bytes}});
  }
  return list;
}

// Returns the values of a family whose only label is the reason.
json::object list_by_reason(const std::vector<admin::Metric>& metrics, std::string_view family) {
  json::object values;
  for (const admin::Metric& metric : metrics) {
    if (metric.family != family) continue;
    const std::size_t quote = metric.labels.find('"');
    values[metric.labels.substr(quote + 1, metric.labels.size() - quote - 2)] =
        static_cast<std::uint64_t>(metric.value);
  }
  return values;
}

}  // namespace

std::vector<Metrics::LimitUse> Metrics::limits() const {
  const relay::RelayPool::PortUse ports = parts_.relays.port_use();
  std::vector<LimitUse> all{
      {"allocations", parts_.limits.allocations.in_use(), config_.limits.allocations},
      {"peer_connections", parts_.limits.peer_connections.in_use(), config_.limits.peer_connections},
      {"idle_connections", parts_.limits.idle_connections.count(), config_.streams.idle},
      {"relay_ports", ports.taken, ports.of}};
  if (parts_.threads.signaling()) {
    all.push_back({"signaling_connections", parts_.threads.signaling()->connections(),
                   config_.signaling.http.connections});
  }
  if (parts_.threads.web())
    all.push_back({"web_connections", parts_.threads.web()->count(), config_.streams.web});
  return all;
}

void Metrics::add_limits(std::vector<admin::Metric>& metrics) const {
  const auto gauge = [&](const char* family, const char* help, std::string labels, double value) {
    metrics.push_back({family, help, admin::MetricKind::gauge, std::move(labels), value});
  };
  for (const LimitUse& one : limits()) {
    gauge("limit", "The value of a limit; 0 means no limit.", label("name", one.name),
          static_cast<double>(one.limit));
  }
  const turn::Limits& limits_of_each = config_.limits;
  const std::array<std::pair<std::string_view, std::uint32_t>, 18> of_each{{
      {"allocations_per_user", limits_of_each.allocations_per_user},
      {"allocations_per_address", limits_of_each.allocations_per_address},
      {"permissions_per_allocation", limits_of_each.permissions_per_allocation},
      {"channels_per_allocation", limits_of_each.channels_per_allocation},
      {"peer_connections_per_user", limits_of_each.peer_connections_per_user},
      {"idle_connections_per_address", config_.streams.idle_per_address},
      {"bytes_per_second", limits_of_each.bytes_per_second},
      {"bytes_per_second_per_user", limits_of_each.bytes_per_second_per_user},
      {"bytes_per_second_per_allocation", limits_of_each.bytes_per_second_per_allocation},
      {"unauthenticated_per_second", limits_of_each.unauthenticated_per_second},
      {"failures_per_second", limits_of_each.failures_per_second},
      {"bindings_per_second", limits_of_each.bindings_per_second},
      {"signaling_connections_per_address", config_.signaling.http.connections_per_address},
      {"signaling_bytes_per_second_per_address", config_.signaling.http.bytes_per_second_per_address},
      {"signaling_credentials_per_second", config_.signaling.credentials_per_second},
      {"signaling_members_per_room", config_.signaling.limits.members_per_room},
      {"signaling_rooms_per_address", config_.signaling.limits.rooms_per_address},
      {"web_connections_per_address", config_.streams.web_per_address},
  }};
  for (const auto& [name, limit] : of_each) {
    gauge("limit_of_each",
          "The value of a limit for one user, address or allocation, or for one second; 0 means no limit.",
          label("name", name), limit);
  }
  for (const LimitUse& one : limits()) {
    gauge("used", "How much of a limit is used.", label("name", one.name), static_cast<double>(one.used));
  }
}

void Metrics::add_counters_of_threads(std::vector<admin::Metric>& metrics) const {
  if (parts_.threads.signaling()) parts_.threads.signaling()->add_metrics(metrics);
  if (parts_.threads.web()) parts_.threads.web()->add_metrics(metrics);
  if (parts_.admin) admin::add_metrics(metrics, parts_.admin->refusals());
}

void Metrics::add_to(std::vector<admin::Metric>& metrics) const {
  const auto gauge = [&](const char* family, const char* help, std::string labels, double value) {
    metrics.push_back({family, help, admin::MetricKind::gauge, std::move(labels), value});
  };
  const Readiness readiness = parts_.readiness();
  gauge("build_info", "The version of this build; the value is 1.", label("version", TURNPIKE_VERSION), 1);
  gauge("up_workers", "Threads that relay.", {}, static_cast<double>(parts_.workers.count()));
  gauge("ready", "1 while new clients are accepted.", {}, readiness.is_ready ? 1 : 0);
  gauge("draining", "1 during a drain: calls go on, and new clients are refused.", {},
        readiness.is_draining ? 1 : 0);
  add_limits(metrics);
  parts_.clustering.add_metrics(metrics);
  if (parts_.tls) {
    for (const auto& [name, expiry] : certificate_expiries(*parts_.tls->certificates())) {
      gauge("certificate_expiry_timestamp_seconds", "When a certificate expires, in seconds since 1970.",
            label("name", name), static_cast<double>(expiry.count()));
    }
  }
  const relay::Totals totals = parts_.workers.count_all();
  totals.for_each([&](const auto& counters) { admin::add_metrics(metrics, counters); });
  add_breakdown(metrics, totals.breakdown);
  add_histograms(metrics, totals.histograms);
  admin::add_metrics(metrics, parts_.counters);
  metrics.push_back(
      {"log_lines_lost_total",
       "Lines of the log that were not written, since stderr was read too slowly or memory was lacking.",
       admin::MetricKind::counter,
       {},
       static_cast<double>(LogScope::lost_lines())});
  add_counters_of_threads(metrics);
}

json::array Metrics::list_limits() const {
  json::array list;
  for (const LimitUse& one : limits())
    list.push_back({{"name", one.name}, {"used", one.used}, {"limit", one.limit}});
  return list;
}

json::object Metrics::make_status() const {
  const Readiness readiness = parts_.readiness();
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - parts_.started);
  const std::vector<std::string>& urls = parts_.listeners.urls();
  const relay::Totals totals = parts_.workers.count_all();
  std::vector<admin::Metric> metrics;
  totals.for_each([&](const auto& one) { admin::add_metrics(metrics, one); });
  add_counters_of_threads(metrics);
  const auto& core = totals.of<turn::Counters>();
  const auto& streamed = totals.of<relay::TcpRelayCounters>();
  return {{"version", TURNPIKE_VERSION},
          {"ready", readiness.is_ready},
          {"draining", readiness.is_draining},
          {"uptime_s", uptime.count()},
          {"workers", parts_.workers.count()},
          {"allocations", parts_.limits.allocations.in_use()},
          {"limits", list_limits()},
          {"listeners", json::array(urls.begin(), urls.end())},
          {"certificates", parts_.tls ? list_certificates(*parts_.tls->certificates()) : json::array()},
          {"per_worker", list_workers(parts_.workers.count_each())},
          {"nodes", parts_.clustering.list_nodes()},
          {"requests", core.requests.value()},
          {"to_peer_bytes", core.to_peer_bytes + streamed.to_peer_bytes},
          {"to_client_bytes", core.to_client_bytes + streamed.to_client_bytes},
          {"to_peer_packets", core.to_peer.value()},
          {"to_client_packets", core.to_client.value()},
          {"refused", list_by_reason(metrics, "refused_total")},
          {"dropped", list_by_reason(metrics, "dropped_total")}};
}

}  // namespace turnpike::daemon
