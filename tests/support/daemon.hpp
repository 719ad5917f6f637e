// The real daemon, on free ports of loopback, with a configuration of the test's own.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "support/child.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::test {

// A file that is gone when the test is over.
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

// The daemon of the build that the tests are from; $TURNPIKE overrides it.
std::string daemon_path();

// What most tests want: both families on loopback, user alice, loopback peers, no limit on answers. Later
// keys of `more`, given as --set, override it.
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
  // Returns once it says that it is ready; throws std::runtime_error with its log when it does not.
  explicit Daemon(const std::vector<std::string>& set = {}, const std::string& config = kLoopbackConfig,
                  const Child::Options& options = {});

  // The n-th listener's address, in the order of the configuration.
  Endpoint listener(std::size_t n = 0) const { return listeners_.at(n); }
  std::string log() const { return child_.output(); }
  bool wait_for_log(const std::string& text) { return child_.wait_for(text); }
  // In what comes behind the first `after` characters.
  bool wait_for_log(const std::string& text, std::size_t after) {
    return child_.wait_for(
        [&](const std::string& log) { return log.find(text, after) != std::string::npos; });
  }
  pid_t pid() const { return child_.pid(); }
  // What it was started with, for those who write it anew.
  const std::string& config_file() const { return config_.path(); }

  // SIGTERM; returns the exit code.
  int stop();
  // Its exit code, once it has ended by itself.
  int wait() { return child_.wait(); }

 private:
  TemporaryFile config_;
  Child child_;
  std::vector<Endpoint> listeners_;
};

}  // namespace turnpike::test
