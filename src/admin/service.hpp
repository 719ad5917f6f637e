// What the admin listener shows and does, as an interface that daemon/ implements. Everything is called on
// the thread of the admin listener.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/metrics.hpp"
#include "http/message.hpp"
#include "turnpike/turn/allocation_info.hpp"

namespace turnpike::admin {

// An allocation and the worker that has it.
struct AllocationOf {
  unsigned worker = 0;
  turn::AllocationInfo allocation;
};

struct DrainOptions {
  std::optional<std::chrono::seconds> deadline;  // else the one of the configuration
  std::uint32_t until = 0;                       // it ends with this few allocations
};

// What a reload has done, or would do.
struct ReloadReport {
  bool ok = false;
  std::vector<std::string> errors;         // file, line and key; empty when it went well
  std::vector<std::string> changed;        // keys
  std::vector<std::string> needs_restart;  // keys that differ and wait for a restart
  std::uint32_t sessions_ended = 0;        // allocations; with dry_run, those that would end
};

class Service {
 public:
  virtual ~Service() = default;

  virtual std::vector<Metric> metrics() = 0;
  // False while it drains or stops.
  virtual bool is_ready() const = 0;
  virtual boost::json::object status() = 0;
  // Of all workers. Takes no longer than a second: a worker that does not answer is left out.
  virtual http::Awaitable<std::vector<AllocationOf>> allocations() = 0;
  // Ends an allocation. Returns false when there is none of that number.
  virtual http::Awaitable<bool> kill(unsigned worker, std::uint64_t number) = 0;
  virtual void drain(const DrainOptions& options) = 0;
  virtual http::Awaitable<ReloadReport> reload(bool dry_run) = 0;
  // Returns false when there is no such level.
  virtual bool set_log_level(std::string_view level) = 0;
};

}  // namespace turnpike::admin
