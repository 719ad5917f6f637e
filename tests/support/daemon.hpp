// The real daemon, on free loopback ports, with a configuration that the test chooses.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "support/child.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::test {

// A file that the destructor removes.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Whether this machine has the program that a test needs. A missing one is a skip on a newcomer's machine and
// a failure in CI.
inline bool has_tool(const std::string& program, const std::string& package) {
  if (has_program(program)) return true;
  const std::string why = program + " is not installed (Debian: " + package + ")";
  if (std::getenv("CI")) FAIL(why);
  WARN("skipped: " << why);
  return false;
}

// A loopback address where no other process has ports: tests with a range of relayed ports may run twice at
// once.
inline std::string own_loopback() {
  const auto pid = static_cast<unsigned>(getpid());
  return "127." + std::to_string(64 + pid / 65536 % 128) + '.' + std::to_string(pid / 256 % 256) + '.' +
         std::to_string(pid % 256);
}

// Settings for relayed addresses with no other ports than these, such as "20000-20003".
inline std::string relay_on_ports(const std::string& ports) {
  return "relay={addresses: [" + own_loopback() + "], ports: " + ports + "}";
}

// The path of the daemon in the same build as the tests; $TURNPIKE overrides it.
std::string daemon_path();

// The configuration for most tests: both families on loopback, the user alice, peers on loopback, no limit on
// answers. Keys in `set` override it, as --set does.
inline constexpr const char* kLoopbackConfig = R"(
realm: example.org
workers: 2
listen: ["udp://127.0.0.1:0", "udp://[::1]:0"]
relay: {addresses: [127.0.0.1, "::1"]}
auth: {users: {alice: secret, bob: hunter2}, secrets: [north-star-secret]}
peers: {allow: [127.0.0.0/8, "::1/128"]}
limits: {unauthenticated_per_second: 0}
)";

class Daemon {
 public:
  // Returns when the daemon is ready. Throws std::runtime_error with its log when it does not become ready.
  explicit Daemon(const std::vector<std::string>& set = {}, const std::string& config = kLoopbackConfig,
                  const Child::Options& options = {});

  // The address of the n-th listener, in the order of the configuration.
  Endpoint listener(std::size_t n = 0) const { return listeners_.at(n); }
  std::string log() const { return child_.output(); }
  bool wait_for_log(const std::string& text) { return child_.wait_for(text); }
  // Searches only the log after its first `after` characters.
  bool wait_for_log(const std::string& text, std::size_t after) {
    return child_.wait_for(
        [&](const std::string& log) { return log.find(text, after) != std::string::npos; });
  }
  pid_t pid() const { return child_.pid(); }
  // The configuration file, for tests that change it.
  const std::string& config_file() const { return config_.path(); }

  // Sends SIGTERM. Returns the exit code.
  int stop();
  // Waits until it ends by itself. Returns the exit code.
  int wait() { return child_.wait(); }

 private:
  TemporaryFile config_;
  Child child_;
  std::vector<Endpoint> listeners_;
};

}  // namespace turnpike::test
