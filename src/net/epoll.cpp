#include "net/epoll.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace turnpike::net {
namespace {

bool control(int set, int operation, int fd, std::uint64_t tag, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  return epoll_ctl(set, operation, fd, &event) == 0;
}

}  // namespace

Epoll::Epoll() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!fd_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

bool Epoll::add(int fd, std::uint64_t tag, std::uint32_t events) {
  return control(fd_.get(), EPOLL_CTL_ADD, fd, tag, events);
}

bool Epoll::modify(int fd, std::uint64_t tag, std::uint32_t events) {
  return control(fd_.get(), EPOLL_CTL_MOD, fd, tag, events);
}

bool Epoll::remove(int fd) { return control(fd_.get(), EPOLL_CTL_DEL, fd, 0, 0); }

std::span<const epoll_event> Epoll::wait(std::span<epoll_event> events, int timeout_ms) const {
  const int count = epoll_wait(fd_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  return events.first(static_cast<std::size_t>(std::max(count, 0)));
}

}  // namespace turnpike::net
