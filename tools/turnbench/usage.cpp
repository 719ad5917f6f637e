#include "turnbench/usage.hpp"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>

namespace turnpike::bench {
namespace {

using std::chrono::nanoseconds;

nanoseconds read_clock(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) throw std::runtime_error("cannot read a CPU clock");
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

// The CPU time of a process, like utime + stime of /proc/PID/stat, but in nanoseconds instead of ticks.
nanoseconds cpu_of(pid_t pid) {
  clockid_t clock{};
  if (clock_getcpuclockid(pid, &clock) != 0)
    throw std::runtime_error("no process " + std::to_string(pid) + " to measure");
  return read_clock(clock);
}

std::int64_t resident_of(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  std::int64_t size = 0;
  std::int64_t resident = 0;
  if (!(statm >> size >> resident))
    throw std::runtime_error("no process " + std::to_string(pid) + " to measure");
  return resident * sysconf(_SC_PAGESIZE);
}

// The line "Slab" of /proc/meminfo.
std::int64_t kernel_memory() {
  std::ifstream meminfo("/proc/meminfo");
  std::string line;
  while (std::getline(meminfo, line)) {
    if (line.starts_with("Slab:")) return std::stoll(line.substr(5)) * 1024;
  }
  return 0;
}

// The sum of user, nice, system, irq and softirq in the first line of /proc/stat. Time that other virtual
// machines take is not included.
nanoseconds machine_busy() {
  std::ifstream stat("/proc/stat");
  std::string name;
  std::uint64_t user = 0;
  std::uint64_t nice = 0;
  std::uint64_t system = 0;
  std::uint64_t idle = 0;
  std::uint64_t io_wait = 0;
  std::uint64_t irq = 0;
  std::uint64_t soft_irq = 0;
  stat >> name >> user >> nice >> system >> idle >> io_wait >> irq >> soft_irq;
  const std::uint64_t ticks = user + nice + system + irq + soft_irq;
  return nanoseconds(ticks * (1'000'000'000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK))));
}

}  // namespace

Usage Usage::since(const Usage& before) const {
  return {server_cpu - before.server_cpu, load_cpu - before.load_cpu, machine_busy - before.machine_busy,
          server_resident - before.server_resident, kernel_memory - before.kernel_memory};
}

Usage UsageMeter::read() const {
  Usage usage;
  for (const pid_t pid : pids_) {
    usage.server_cpu += cpu_of(pid);
    usage.server_resident += resident_of(pid);
  }
  usage.load_cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  usage.machine_busy = bench::machine_busy();
  usage.kernel_memory = bench::kernel_memory();
  return usage;
}

}  // namespace turnpike::bench
