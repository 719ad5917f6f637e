// Makes a running daemon reload, and reports the result to the caller. SIGHUP and SIGUSR2 ask for no answer.
// `turnpike --reload PID` queues a real-time signal instead, and is answered by the same signal with 0 or 1.
// A minimal system has no program that sends signals, and none that waits for an answer.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <functional>

#include "daemon/signal_reader.hpp"

namespace turnpike::daemon {

// Blocks both signals, and those that stop or drain the daemon, in this thread and in the threads that it
// starts. They wait until they are read (SignalReader), so that a stop during a long start is a stop, too.
// Call this before the first of these threads begins.
void hold_signals();

// The daemon's side. On the thread that runs the io_context.
class ReloadSignal {
 public:
  // `reload` says whether it went well. Throws std::system_error.
  ReloadSignal(boost::asio::io_context& io, std::function<bool()> reload);

  // Leaves the io_context without work of this object's.
  void stop() { signals_.stop(); }

 private:
  void on_signal(const signalfd_siginfo& info);

  SignalReader signals_;
  std::function<bool()> reload_;
};

// The other side: tells the daemon `pid` to reload and waits for the answer, which is about a reload that
// began after this call. Throws std::runtime_error with a message for the operator when that is no turnpike,
// which then gets no signal, when no answer comes, or when the reload failed.
void ask_for_reload(pid_t pid);

}  // namespace turnpike::daemon
