#include "turnbench/report.hpp"

#include <boost/json/serialize.hpp>
#include <iomanip>

namespace turnpike::bench {
namespace {

using boost::json::object;
using std::chrono::nanoseconds;

double seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

double per(double amount, std::uint64_t count) {
  return count > 0 ? amount / static_cast<double>(count) : 0.0;
}

double per_second(std::uint64_t count, nanoseconds time) {
  return time.count() > 0 ? static_cast<double>(count) / seconds(time) : 0.0;
}

double ns_per(nanoseconds time, std::uint64_t count) { return per(static_cast<double>(time.count()), count); }

const char* name_of(Direction direction) {
  switch (direction) {
    case Direction::up: return "up";
    case Direction::down: return "down";
    case Direction::both: return "both";
  }
  return "";
}

object describe(const Options& options, const char* task) {
  return {{"task", task}, {"server", options.server.to_string()}};
}

void add_usage(object& report, const Usage& usage, nanoseconds time, bool has_server) {
  if (has_server) {
    report["server_cpu_seconds"] = seconds(usage.server_cpu);
    report["server_cores_busy"] = seconds(usage.server_cpu) / seconds(time);
  }
  report["load_cpu_seconds"] = seconds(usage.load_cpu);
  report["machine_busy_seconds"] = seconds(usage.machine_busy);
}

// Adds the sizes and times of all traffic that is not a call.
void add_pattern(object& report, const Options& options) {
  report["size"] = options.size;
  report["burst"] = options.burst;
  if (options.rate) {
    report["rate"] = *options.rate;
  } else {
    report["window"] = options.window;
  }
}

}  // namespace

object to_json(const Options& options, const LoadResult& result, bool has_server) {
  object report = describe(options, "relay");
  report["mode"] = options.mode == Mode::channel ? "channel" : "send";
  report["direction"] = name_of(options.direction);
  report["clients"] = options.clients;
  report["coalesce"] = options.coalesce;
  report["direct"] = options.direct;
  report["call"] = options.call;
  if (!options.call) add_pattern(report, options);
  report["seconds"] = seconds(result.time);
  report["sent"] = result.sent;
  report["skipped"] = result.skipped;
  report["delivered"] = result.delivered;
  report["loss"] = result.sent > 0 ? 1.0 - per(static_cast<double>(result.delivered), result.sent) : 0.0;
  report["strays"] = result.strays;
  report["delivered_per_second"] = per_second(result.arrived, result.time);
  report["latency_p50_us"] = static_cast<double>(result.latency.percentile(0.50)) / 1000;
  report["latency_p99_us"] = static_cast<double>(result.latency.percentile(0.99)) / 1000;
  report["latency_p999_us"] = static_cast<double>(result.latency.percentile(0.999)) / 1000;
  add_usage(report, result.usage, result.time, has_server);
  if (has_server) report["server_cpu_ns_per_datagram"] = ns_per(result.usage.server_cpu, result.arrived);
  report["machine_busy_ns_per_datagram"] = ns_per(result.usage.machine_busy, result.arrived);
  return report;
}

object to_json(const Options& options, const IdleResult& result, bool has_server) {
  object report = describe(options, "allocations");
  report["allocations"] = result.allocations;
  report["baseline"] = options.baseline;
  report["with_channels"] = options.with_channels;
  report["allocations_per_second"] = per_second(result.allocations, result.time);
  add_usage(report, result.usage, result.time, has_server);
  if (has_server) {
    const auto grown = static_cast<double>(result.usage.server_resident);
    report["resident_bytes_per_allocation"] = per(grown, result.allocations);
  }
  // The client's own socket is a part of it.
  report["kernel_bytes_per_allocation"] =
      per(static_cast<double>(result.usage.kernel_memory), result.allocations);
  return report;
}

object to_json(const Options& options, const CyclesResult& result, bool has_server) {
  object report = describe(options, "cycles");
  report["concurrency"] = options.concurrency;
  report["seconds"] = seconds(result.time);
  report["cycles"] = result.cycles;
  report["failures"] = result.failures;
  if (result.failures > 0) report["first_failure"] = result.first_failure;
  report["cycles_per_second"] = per_second(result.cycles, result.time);
  add_usage(report, result.usage, result.time, has_server);
  if (has_server) report["cycles_per_cpu_second"] = per_second(result.cycles, result.usage.server_cpu);
  return report;
}

void print(std::ostream& out, const object& report, bool as_json) {
  if (as_json) {
    out << boost::json::serialize(report) << '\n';
    return;
  }
  for (const auto& [name, value] : report) {
    out << std::left << std::setw(32) << name;
    if (value.is_double()) {
      out << std::fixed << std::setprecision(3) << value.get_double() << '\n';
    } else if (value.is_string()) {
      out << value.get_string().c_str() << '\n';
    } else {
      out << boost::json::serialize(value) << '\n';
    }
  }
}

}  // namespace turnpike::bench
