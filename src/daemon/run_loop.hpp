// The loop of a thread that must not end because one step of it finds no memory.
#pragma once

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <new>

namespace turnpike::daemon {

// Runs the io_context until it has no work or is stopped. When a handler throws std::bad_alloc, its work is
// lost and the other handlers continue. Other exceptions are passed on.
inline void run_loop(boost::asio::io_context& io) {
  bool has_said_so = false;
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::bad_alloc&) {
      if (!has_said_so) spdlog::error("out of memory: a step of the control or signaling thread is given up");
      has_said_so = true;
    }
  }
}

}  // namespace turnpike::daemon
