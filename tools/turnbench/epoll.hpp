// A level-triggered epoll set whose entries are numbers.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <system_error>

namespace turnpike::bench {

class Epoll {
 public:
  Epoll() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  }
  ~Epoll() { close(fd_); }
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;

  // `fd` leaves the set when it is closed.
  void add(int fd, std::uint32_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = tag;
    if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) != 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }

  // Calls visit(tag) for each entry that is ready. Waits at most `timeout`, which may be zero.
  template <class Visit>
  void wait(std::chrono::nanoseconds timeout, Visit&& visit) {
    const int count = wait_for_events(timeout);
    for (int i = 0; i < count; ++i) visit(events_[static_cast<std::size_t>(i)].data.u32);
  }

 private:
  int wait_for_events(std::chrono::nanoseconds timeout) {
    const auto most = static_cast<int>(events_.size());
    // epoll_wait is cheaper when there is nothing to wait for.
    if (timeout.count() <= 0) return epoll_wait(fd_, events_.data(), most, 0);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec spec{seconds.count(), (timeout - seconds).count()};
    return epoll_pwait2(fd_, events_.data(), most, &spec, nullptr);
  }

  int fd_;
  std::array<epoll_event, 256> events_{};
};

}  // namespace turnpike::bench
