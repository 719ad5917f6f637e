#include "support/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace turnpike::test {
namespace {

[[noreturn]] void become(const std::vector<std::string>& command, const Child::Options& options, int output) {
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  if (options.descriptor_limit) {
    const rlimit limit{*options.descriptor_limit, *options.descriptor_limit};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

Child::Child(std::vector<std::string> command, const Options& options) {
  std::array<int, 2> pipe_ends;
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  pid_ = fork();
  if (pid_ == 0) become(command, options, pipe_ends[1]);
  close(pipe_ends[1]);
  if (pid_ < 0) throw std::runtime_error("fork failed");
  reader_ = std::thread([this, fd = pipe_ends[0]] { read_output(fd); });
}

Child::~Child() {
  if (!exit_code_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  reader_.join();
}

void Child::read_output(int fd) {
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    const std::lock_guard lock(mutex_);
    if (got > 0) {
      output_.append(buffer.data(), static_cast<std::size_t>(got));
    } else {
      closed_ = true;
    }
    changed_.notify_all();
    if (got <= 0) break;
  }
  close(fd);
}

std::string Child::output() const {
  const std::lock_guard lock(mutex_);
  return output_;
}

bool Child::wait_for(const std::function<bool(const std::string&)>& done, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return closed_ || done(output_); });
  return done(output_);
}

void Child::signal(int number) { kill(pid_, number); }

int Child::wait(std::chrono::milliseconds timeout) {
  if (exit_code_) return *exit_code_;
  {
    // The end of the program closes the pipe, unless it has left children.
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, timeout, [&] { return closed_; })) {
      throw std::runtime_error("a program did not end in time; it wrote:\n" + output_);
    }
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return *exit_code_;
}

bool has_program(const std::string& name) {
  std::istringstream path(std::getenv("PATH"));
  for (std::string folder; std::getline(path, folder, ':');) {
    if (access((folder + '/' + name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace turnpike::test
