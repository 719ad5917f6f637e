#include "daemon/signal_reader.hpp"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace turnpike::daemon {
namespace {

int open_signals(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  return fd;
}

}  // namespace

SignalReader::SignalReader(boost::asio::io_context& io, std::initializer_list<int> signals, Handler take)
    : signals_(io, open_signals(signals)), handler_(std::move(take)) {
  wait();
}

void SignalReader::wait() {
  signals_.async_wait(
      boost::asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& error) {
        if (error || stopped_) return;
        wait();  // this comes first, since the rest may throw
        signalfd_siginfo info{};
        while (!stopped_ &&
               read(signals_.native_handle(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
          handler_(info);
        }
      });
}

}  // namespace turnpike::daemon
