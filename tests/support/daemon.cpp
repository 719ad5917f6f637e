#include "support/daemon.hpp"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace turnpike::test {
namespace {

std::vector<std::string> command_line(const std::string& config, const std::vector<std::string>& set) {
  std::vector<std::string> command{daemon_path(), "--config", config};
  for (const std::string& override_ : set) command.insert(command.end(), {"--set", override_});
  return command;
}

}  // namespace

TemporaryFile::TemporaryFile(const std::string& content) : path_("/tmp/turnpike-test-XXXXXX") {
  const int fd = mkstemp(path_.data());
  if (fd < 0) throw std::runtime_error("mkstemp failed");
  close(fd);
  std::ofstream(path_) << content;
}

TemporaryFile::~TemporaryFile() { std::filesystem::remove(path_); }

std::string daemon_path() {
  const char* path = getenv("TURNPIKE");
  return path ? path : TURNPIKE_DAEMON;
}

Daemon::Daemon(const std::vector<std::string>& set, const std::string& config, const Child::Options& options)
    : config_(config), child_(command_line(config_.path(), set), options) {
  const auto is_ready = [](const std::string& log) {
    return log.find(" ready\n") != std::string::npos || log.find("\"ready\"") != std::string::npos;
  };
  if (!child_.wait_for(is_ready)) throw std::runtime_error("turnpike did not get ready:\n" + child_.output());
  std::istringstream lines(child_.output());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find("://");
    if (at == std::string::npos || line.find("listening on") == std::string::npos) continue;
    if (line.find("http") != std::string::npos) continue;
    const std::size_t host = at + 3;
    listeners_.push_back(Endpoint::parse(line.substr(host, line.find('"', host) - host)).value());
  }
}

int Daemon::stop() {
  child_.signal(SIGTERM);
  const int code = child_.wait();
  if (log().find(" has not ended in ") != std::string::npos)
    throw std::runtime_error("turnpike has cut off what did not end:\n" + log());
  return code;
}

}  // namespace turnpike::test
