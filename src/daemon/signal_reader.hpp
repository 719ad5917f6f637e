// Reads the signals of this process one after another on the thread of an io_context (signalfd(2)), so no
// handler interrupts other code, and no signal is lost.
#pragma once

#include <sys/signalfd.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <initializer_list>

#include "net/asio_types.hpp"

namespace turnpike::daemon {

class SignalReader {
 public:
  using Handler = std::function<void(const signalfd_siginfo&)>;

  // Blocks these signals in the calling thread and in the threads that it starts later. Threads that exist
  // already must hold them too. Throws std::system_error.
  SignalReader(boost::asio::io_context& io, std::initializer_list<int> signals, Handler take);

  // Leaves the io_context without work of this object's. The signals are held until the process ends.
  void stop() {
    stopped_ = true;  // a wait that is over already has still to find out
    signals_.cancel();
  }

 private:
  void wait();

  net::StreamDescriptor signals_;
  Handler handler_;
  bool stopped_ = false;
};

}  // namespace turnpike::daemon
