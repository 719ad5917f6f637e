#include "daemon/reload.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

namespace turnpike::daemon {
namespace {

constexpr time_t kMaxReload = 30;  // seconds

// This signal requests a reload and answers the request. It is a real-time signal, since the kernel queues
// each one that is sent. Of several standard signals only one would arrive, and the other senders would get
// no answer.
int request_signal() { return SIGRTMIN; }

// Blocks the signals in the calling thread, and returns the set of them.
sigset_t hold(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

// The fields of /proc/PID/status that say what a process does with our signals.
struct ProcessStatus {
  std::string name;
  std::uint64_t held_signals = 0;  // bit 0 is signal 1

  bool holds(int signal) const { return (held_signals >> (signal - 1) & 1) != 0; }
};

// Returns nothing when there is no such process.
std::optional<ProcessStatus> read_status(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/status");
  if (!file) return std::nullopt;
  ProcessStatus status;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Name:\t")) status.name = line.substr(6);
    if (line.starts_with("SigBlk:\t")) status.held_signals = std::stoull(line.substr(8), nullptr, 16);
  }
  return status;
}

// The signal would kill a process that does not expect it. A process of our name that blocks both signals
// expects it, since turnpike blocks them from its start to its end.
void require_turnpike(pid_t pid) {
  const std::string id = std::to_string(pid);
  const auto status = read_status(id);
  const auto own = read_status("self");
  if (!status || !own) throw std::runtime_error("there is no process " + id);
  if (status->name != own->name) {
    throw std::runtime_error("process " + id + " is not a " + own->name + " but " + status->name);
  }
  if (!status->holds(SIGHUP) || !status->holds(request_signal())) {
    throw std::runtime_error("process " + id +
                             " cannot reload: it is still starting, or it is another version of turnpike");
  }
}

// The daemon may be able to answer only its own user, so root becomes this user.
void become_user_of(pid_t pid) {
  if (geteuid() != 0) return;
  struct stat status {};
  if (stat(("/proc/" + std::to_string(pid)).c_str(), &status) != 0) return;
  if (setresgid(status.st_gid, status.st_gid, status.st_gid) != 0 ||
      setresuid(status.st_uid, status.st_uid, status.st_uid) != 0) {
    throw std::runtime_error("cannot become the daemon's user: " + std::generic_category().message(errno));
  }
}

}  // namespace

void hold_signals() { hold({SIGHUP, SIGUSR2, request_signal(), SIGTERM, SIGINT, SIGUSR1}); }

ReloadSignal::ReloadSignal(boost::asio::io_context& io, std::function<bool()> reload)
    : signals_(io, {SIGHUP, SIGUSR2, request_signal()},
               [this](const signalfd_siginfo& info) { on_signal(info); }),
      reload_(std::move(reload)) {}

void ReloadSignal::on_signal(const signalfd_siginfo& info) {
  const bool done = reload_();
  if (info.ssi_signo != static_cast<std::uint32_t>(request_signal()) || info.ssi_code != SI_QUEUE) return;
  sigval answer{};
  answer.sival_int = done ? 0 : 1;
  sigqueue(static_cast<pid_t>(info.ssi_pid), request_signal(), answer);
}

void ask_for_reload(pid_t pid) {
  if (pid <= 0) throw std::runtime_error("expected the process id of a running turnpike");
  require_turnpike(pid);
  become_user_of(pid);
  const sigset_t answers = hold({request_signal()});
  if (sigqueue(pid, request_signal(), sigval{}) != 0) {
    throw std::runtime_error("process " + std::to_string(pid) + ": " +
                             std::generic_category().message(errno));
  }
  const timespec patience{kMaxReload, 0};
  siginfo_t info{};
  do {
    int signal = 0;
    do {
      signal = sigtimedwait(&answers, &info, &patience);
    } while (signal < 0 && errno == EINTR);
    if (signal < 0) {
      throw std::runtime_error("process " + std::to_string(pid) + " does not say whether it has reloaded");
    }
  } while (info.si_pid != pid);
  if (info.si_value.sival_int != 0) {
    throw std::runtime_error("process " + std::to_string(pid) +
                             " could not reload and has changed nothing; its log says why");
  }
}

}  // namespace turnpike::daemon
