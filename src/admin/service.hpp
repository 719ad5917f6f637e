// The interface through which the admin listener reads and controls the daemon; daemon/ implements it. All
// calls come on the thread of the admin listener.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/metrics.hpp"
#include "http/message.hpp"
#include "http/refused.hpp"
#include "turnpike/auth/params.hpp"
#include "turnpike/auth/revocations.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/turn/allocation_info.hpp"

namespace turnpike::admin {

// An allocation, with the number of its worker.
struct AllocationOf {
  unsigned worker = 0;
  turn::AllocationInfo allocation;
};

struct AllocationList {
  std::vector<AllocationOf> allocations;
  bool complete = true;  // false when a worker did not answer in time, so that its allocations are missing
};

struct DrainOptions {
  std::optional<std::chrono::seconds> deadline;  // otherwise that of the configuration
  std::uint32_t until = 0;                       // the drain ends when this many allocations are left
};

// The result of a reload, or of its dry run.
struct ReloadReport {
  bool ok = false;
  std::vector<std::string> errors;         // with file, line and key; empty on success
  std::vector<std::string> changed;        // changed keys
  std::vector<std::string> needs_restart;  // changed keys that need a restart
  // How many allocations have ended (with dry_run: would end), and the first kMaxListed of them.
  static constexpr std::size_t kMaxListed = 1000;
  std::uint32_t ended_count = 0;
  std::vector<AllocationOf> ended;
};

// What an operator wants to be changed in auth.database.
struct UserChange {
  enum class Kind : std::uint8_t { add, set_keys, remove };
  static constexpr std::size_t kMaxUsers = 100;  // in one change
  static constexpr std::size_t kMaxListed = 1000;

  Kind kind = Kind::add;
  // All of them are changed, or none. They have a password or keys, unless they are removed.
  std::vector<auth::UserParams> users;
};

// Why a command was refused, as an HTTP answer.
struct Refusal {
  unsigned status = 400;
  std::string code;
  std::string message;  // a sentence for people
};

class Service {
 public:
  virtual ~Service() = default;

  // All series of /metrics.
  virtual std::vector<Metric> metrics() = 0;
  // False while the daemon drains or stops.
  virtual bool is_ready() const = 0;
  // What `turnpikectl status` and the status page show.
  virtual boost::json::object status() = 0;
  // The allocations of all workers. It takes one second at most; a worker that does not answer in time is
  // left out.
  virtual http::Awaitable<AllocationList> allocations() = 0;
  // Ends an allocation. Returns false when the worker has no allocation with this number.
  virtual http::Awaitable<bool> kill(unsigned worker, std::uint64_t number) = 0;
  // Begins a drain, or changes the one that is under way.
  virtual void drain(const DrainOptions& options) = 0;
  // Reads the configuration again. With `dry_run` nothing changes, and the report says what would.
  virtual http::Awaitable<ReloadReport> reload(bool dry_run) = 0;
  // Returns false when the level does not exist.
  virtual bool set_log_level(std::string_view level) = 0;
  // Logs that the server has refused a client.
  virtual void on_refused(const http::Refused& refused) = 0;
  // The nodes of the cluster, this one first; empty without a cluster.
  virtual boost::json::array nodes() = 0;
  // Ends all allocations of a user on all nodes, and returns when those of this node have ended;
  // "complete" is false when a worker hangs. What this and the next functions return has "everywhere",
  // which is false when another node has not done it in time, and "missed": each such node that is known, as
  // {"node", "why"}.
  virtual http::Awaitable<boost::json::object> end_user(std::string user) = 0;
  // The users of auth.database by name: the first ones after `after`, at most `limit`.
  virtual Result<boost::json::object, Refusal> list_users(const std::string& after, std::size_t limit) = 0;
  // Changes auth.database: of this node, and a removal of all nodes. The answer has "users", how many there
  // were in the change, and "here", whether this node's database was changed.
  virtual http::Awaitable<Result<boost::json::object, Refusal>> change_users(UserChange change) = 0;
  // Refuses a token of signaling, or all tokens of a subject, for `duration`. Clients that came with one are
  // told and disconnected, and the relay credentials that they got are refused.
  virtual http::Awaitable<Result<boost::json::object, Refusal>> revoke(auth::Revocation::Kind kind,
                                                                       std::string name,
                                                                       std::chrono::seconds duration) = 0;
};

}  // namespace turnpike::admin
