#include "relay/loop_thread.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <cerrno>
#include <system_error>

#include "relay/event_tag.hpp"

namespace turnpike::relay {
namespace {

net::Fd require(int fd, const char* call) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), call);
  return net::Fd(fd);
}

}  // namespace

LoopThread::LoopThread(std::string name)
    : name_(std::move(name)), wake_(require(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  if (!epoll_.add(wake_.get(), EventTag{EventKind::wake}.pack(), EPOLLIN))
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void LoopThread::give_name() const { prctl(PR_SET_NAME, name_.c_str(), 0UL, 0UL, 0UL); }

void LoopThread::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

}  // namespace turnpike::relay
