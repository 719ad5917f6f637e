#include "admin/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "admin/open_descriptors.hpp"
#include "admin/process_start.hpp"

namespace turnpike::admin {
namespace {

constexpr std::string_view kPrefix = "turnpike_";
constexpr std::string_view kProcess = "process_";

constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kFamilyHelps{{
    {"associations_closed_total", "Associations of clients by DTLS that this server ended, by the reason."},
    {"connections_closed_total",
     "Connections of clients by TCP and TLS that this server ended, by the reason."},
    {"dropped_total", "Datagrams, messages and data that were dropped, by the reason."},
    {"dtls_hellos_total", "DTLS hellos without a cookie, by whether they were answered with one."},
    {"proxied_flows_total", "Flows of clients through load balancers, by UDP, by what became of them."},
    {"refused_total", "Requests, connections and clients that were refused, by the reason."},
    {"relay_bytes_total",
     "Octets of payload between clients and this server, and between it and peers: received (rx) and sent "
     "(tx)."},
    {"relay_packets_total",
     "Datagrams with payload between clients and this server, and between it and peers: received (rx) and "
     "sent (tx)."},
    {"relay_to_relay_packets_total",
     "Datagrams from one relayed address here to another, without the kernel, by whether both belong to one "
     "worker. They are counted as sent and as received too."},
    {"reloads_total", "How often the configuration was read again, by whether it was applied."},
    {"tls_handshakes_total",
     "Handshakes of TLS and DTLS: all that were begun, what became of them, and those that were refused."},
    {"web_connections_closed_total", "Connections to a web server that this server ended, by the reason."},
    {"web_sockets_closed_total", "WebSockets that this server ended, by the reason."},
}};

// Converts the text of label() back to the labels of prometheus-cpp.
std::vector<prometheus::ClientMetric::Label> split_labels(std::string_view text) {
  std::vector<prometheus::ClientMetric::Label> labels;
  while (!text.empty()) {
    const std::size_t equals = text.find("=\"");
    if (equals == std::string_view::npos) break;
    prometheus::ClientMetric::Label one{std::string(text.substr(0, equals)), {}};
    std::size_t at = equals + 2;
    for (; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) {
        ++at;
        one.value.push_back(text[at] == 'n' ? '\n' : text[at]);
      } else {
        one.value.push_back(text[at]);
      }
    }
    labels.push_back(std::move(one));
    text.remove_prefix(std::min(text.size(), at + 1));
    if (text.starts_with(',')) text.remove_prefix(1);
  }
  return labels;
}

std::string full_name(const std::string& family) {
  return family.starts_with(kProcess) ? family : std::string(kPrefix).append(family);
}

prometheus::MetricType type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter: return prometheus::MetricType::Counter;
    case MetricKind::gauge: return prometheus::MetricType::Gauge;
    case MetricKind::histogram: return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

void set_value(prometheus::ClientMetric& series, const Metric& metric) {
  switch (metric.kind) {
    case MetricKind::counter: series.counter.value = metric.value; return;
    case MetricKind::gauge: series.gauge.value = metric.value; return;
    case MetricKind::histogram: break;
  }
  series.histogram.sample_sum = metric.value;
  series.histogram.sample_count = metric.buckets.empty() ? 0 : metric.buckets.back().count;
  for (const Bucket& bucket : metric.buckets) series.histogram.bucket.push_back({bucket.count, bucket.up_to});
}

// Returns the fields of /proc/self/stat after the program's name, which may contain spaces (proc(5)).
std::vector<std::string> process_stat() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t end = text.rfind(')');
  if (end == std::string::npos) return {};
  std::istringstream rest(text.substr(end + 1));
  return {std::istream_iterator<std::string>(rest), {}};
}

// Returns the time of the machine's boot, in seconds since 1970. /proc/stat has it too, but a service with
// ProcSubset=pid does not see that file.
double boot_time() {
  const auto read = [](clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  return read(CLOCK_REALTIME) - read(CLOCK_BOOTTIME);
}

}  // namespace

void add_process_metrics(std::vector<Metric>& metrics) {
  const auto gauge = [&](const char* family, const char* help, double value) {
    metrics.push_back({family, help, MetricKind::gauge, {}, value});
  };
  // The fields count from 0 after the name: 11 and 12 are CPU time, 17 the threads, 19 the start, 20 and 21
  // memory.
  constexpr std::size_t kUser = 11;
  constexpr std::size_t kSystem = 12;
  constexpr std::size_t kThreads = 17;
  constexpr std::size_t kStart = 19;
  constexpr std::size_t kVirtual = 20;
  constexpr std::size_t kResident = 21;
  const std::vector<std::string> stat = process_stat();
  if (stat.size() > kResident) {
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    const auto number = [&](std::size_t field) { return std::strtod(stat[field].c_str(), nullptr); };
    metrics.push_back({"process_cpu_seconds_total",
                       "CPU time of the process, in seconds.",
                       MetricKind::counter,
                       {},
                       (number(kUser) + number(kSystem)) / ticks});
    gauge("process_threads", "Threads of the process.", number(kThreads));
    gauge("process_virtual_memory_bytes", "Virtual memory of the process.", number(kVirtual));
    gauge("process_resident_memory_bytes", "Resident memory of the process.",
          number(kResident) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    gauge("process_start_time_seconds", "When the process started, in seconds since 1970.",
          process_start(number(kStart) / ticks, boot_time));
  }
  gauge("process_open_fds", "Open descriptors of the process.", static_cast<double>(open_descriptors()));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    gauge("process_max_fds", "How many descriptors the process may have.",
          static_cast<double>(limit.rlim_cur));
  }
}

std::string label(std::string_view name, std::string_view value) {
  std::string text = std::string(name).append("=\"");
  for (const char c : value) {
    if (c == '\n') {
      text.append("\\n");
      continue;
    }
    if (c == '"' || c == '\\') text.push_back('\\');
    text.push_back(c);
  }
  return text.append("\"");
}

std::string_view help_of_family(std::string_view family) {
  const auto* const found =
      std::ranges::find(kFamilyHelps, family, [](const auto& entry) { return entry.first; });
  return found == kFamilyHelps.end() ? std::string_view() : found->second;
}

std::string to_prometheus(const std::vector<Metric>& metrics) {
  std::vector<prometheus::MetricFamily> families;
  std::map<std::string_view, std::size_t> places;
  for (const Metric& metric : metrics) {
    const auto [place, is_new] = places.emplace(metric.family, families.size());
    if (is_new) {
      const std::string_view help = help_of_family(metric.family);
      families.push_back({full_name(metric.family),
                          help.empty() ? metric.help : std::string(help),
                          type_of(metric.kind),
                          {}});
    }
    prometheus::ClientMetric series;
    series.label = split_labels(metric.labels);
    set_value(series, metric);
    families[place->second].metric.push_back(std::move(series));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace turnpike::admin
