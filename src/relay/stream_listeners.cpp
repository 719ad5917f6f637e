#include "relay/stream_listeners.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "relay/event_tag.hpp"

namespace turnpike::relay {
namespace {

constexpr Duration kListenerPause{100};  // the pause when there is no descriptor for another connection

}  // namespace

StreamListeners::StreamListeners(net::Epoll& epoll, std::vector<StreamListener> listeners,
                                 ConnectionCounters& counters)
    : epoll_(epoll), listeners_(std::move(listeners)), counters_(counters) {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const EventTag tag{EventKind::stream_listener, i};
    if (!epoll_.add(listeners_[i].socket.get(), tag.pack(), EPOLLIN))
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

StreamListeners::Outcome StreamListeners::accept(const StreamListener& listener, TimePoint now) {
  std::optional<net::Accepted> accepted = net::accept_tcp(listener.socket.get());
  if (accepted) return {std::move(accepted), true};
  if (!net::is_exhaustion(errno)) return {std::nullopt, errno != EAGAIN};
  ++counters_.out_of_descriptors;
  watch(0);
  paused_until_ = now.steady + kListenerPause;
  return {std::nullopt, false};
}

void StreamListeners::on_timeout(TimePoint now) {
  if (!paused_until_ || *paused_until_ > now.steady) return;
  watch(EPOLLIN);
  paused_until_.reset();
}

void StreamListeners::watch(std::uint32_t events) {
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    epoll_.modify(listeners_[i].socket.get(), EventTag{EventKind::stream_listener, i}.pack(), events);
}

}  // namespace turnpike::relay
