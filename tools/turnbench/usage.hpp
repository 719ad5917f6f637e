// The resources that the server and the whole machine have used, as the kernel counts them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace turnpike::bench {

struct Usage {
  std::chrono::nanoseconds server_cpu{};    // user and system time of all threads of the server
  std::chrono::nanoseconds load_cpu{};      // of this process
  std::chrono::nanoseconds machine_busy{};  // of all cores, with the resolution of the kernel's tick
  std::int64_t server_resident = 0;         // bytes
  std::int64_t kernel_memory = 0;  // bytes in the slabs of the machine's kernel: sockets and the like

  // The difference to `before`; for memory, its growth.
  Usage since(const Usage& before) const;
};

// Reads the resources of processes by their ids. Throws std::runtime_error when a process has ended.
class UsageMeter {
 public:
  explicit UsageMeter(std::vector<pid_t> server_pids) : pids_(std::move(server_pids)) {}

  bool has_server() const { return !pids_.empty(); }
  Usage read() const;

 private:
  std::vector<pid_t> pids_;
};

}  // namespace turnpike::bench
