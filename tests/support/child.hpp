// A program that a test starts. Its output is read as it arrives. The destructor kills it in any case.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace turnpike::test {

class Child {
 public:
  struct Options {
    std::map<std::string, std::string> environment{};  // added to the environment of the test
    std::optional<std::uint64_t> descriptor_limit{};   // RLIMIT_NOFILE, soft and hard
  };

  // Throws std::runtime_error when the program does not exist.
  explicit Child(std::vector<std::string> command) : Child(std::move(command), Options()) {}
  Child(std::vector<std::string> command, const Options& options);
  ~Child();  // kills the program if it still runs
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }

  // The output to stdout and stderr so far.
  std::string output() const;
  // Waits until `done(output)` is true. Returns false when the program has ended or the time is up before
  // that.
  bool wait_for(const std::function<bool(const std::string&)>& done,
                std::chrono::milliseconds timeout = std::chrono::seconds(20));
  bool wait_for(const std::string& text) {
    return wait_for([&](const std::string& output) { return output.find(text) != std::string::npos; });
  }

  void signal(int number);
  // Waits for the end and returns the exit code, or 128 + the signal. Throws std::runtime_error when that
  // takes too long.
  int wait(std::chrono::milliseconds timeout = std::chrono::seconds(60));

 private:
  void read_output(int fd);

  pid_t pid_ = -1;
  std::optional<int> exit_code_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_;
  bool closed_ = false;
  std::thread reader_;
};

// Whether PATH has a program of this name.
bool has_program(const std::string& name);

// How often a text is in another.
inline std::size_t count(const std::string& text, const std::string& part) {
  std::size_t times = 0;
  for (std::size_t i = text.find(part); i != std::string::npos; i = text.find(part, i + 1)) ++times;
  return times;
}

}  // namespace turnpike::test
