// What a server and the whole machine have spent, as the kernel counts it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace turnpike::bench {

struct Usage {
  std::chrono::nanoseconds server_cpu{};    // user and system time of the server's processes, all threads
  std::chrono::nanoseconds load_cpu{};      // of this process
  std::chrono::nanoseconds machine_busy{};  // of all cores, in steps of the kernel's tick
  std::int64_t server_resident = 0;         // bytes

  // What was spent since `before`; of resident memory the growth.
  Usage since(const Usage& before) const;
};

// Reads the clocks of processes by their ids. Throws std::runtime_error when one of them is gone.
class UsageMeter {
 public:
  explicit UsageMeter(std::vector<pid_t> server_pids) : pids_(std::move(server_pids)) {}

  bool has_server() const { return !pids_.empty(); }
  Usage read() const;

 private:
  std::vector<pid_t> pids_;
};

}  // namespace turnpike::bench
