// Watches the end of the daemon from a thread of its own. Each part of the daemon has a time to end in; a
// part that takes longer is cut off, and the log says so. When an operator asks again for the end, all parts
// are cut off at once. If a part does not end even then, the process ends without it.
#pragma once

#include <signal.h>

#include <chrono>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace turnpike::daemon {

class StopWatch {
 public:
  // The longest time for one part. Connections are closed after http::Deadlines::closing, and then have a
  // second to end.
  static constexpr std::chrono::seconds kPatience{5};

  // Makes a part end at once, although something of it is left, and returns what that is: "3 connections", or
  // nothing. It is called at most once, from the thread of the watch or of begin().
  using CutOff = std::function<std::string()>;

  // Each of `signals` asks for the end; all threads of the process must hold them. The first `spared` of
  // them ask for nothing new. Throws std::system_error when there is no thread for it.
  StopWatch(std::initializer_list<int> signals, unsigned spared,
            std::chrono::milliseconds patience = kPatience);
  ~StopWatch();
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;

  // This part ends from now on; the one before it has ended. `part` is a literal for the log. `cut_off` may
  // be empty.
  void begin(std::string_view part, CutOff cut_off);
  // Whether a part was cut off, so that something of it may be left.
  bool has_cut_off() const;

 private:
  using Clock = std::chrono::steady_clock;

  void watch();
  void hurry();
  void look();
  std::string cut();
  [[noreturn]] void give_up() noexcept;

  sigset_t signals_{};
  const int wake_;  // one of them, by which the thread is woken for its end
  const std::chrono::milliseconds patience_;
  mutable std::mutex mutex_;  // protects the members below
  unsigned spared_;
  std::string_view part_;
  CutOff cut_off_;
  Clock::time_point deadline_;  // of the present part
  bool is_cut_off_ = false;     // the present part
  bool has_cut_off_ = false;
  bool is_hurried_ = false;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace turnpike::daemon
