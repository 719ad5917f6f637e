#include "relay/loop_thread.hpp"

#include <sys/epoll.h>
#include <sys/prctl.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

#include "relay/event_tag.hpp"

namespace turnpike::relay {
namespace {

TEST_CASE("the thread of a worker has its name, and is woken to stop while it waits", "[worker]") {
  LoopThread thread("worker-7");
  CHECK_FALSE(thread.is_running());
  std::array<char, 17> name{};
  std::uint64_t last = ~std::uint64_t{0};
  thread.start([&] {
    prctl(PR_GET_NAME, name.data(), 0UL, 0UL, 0UL);
    while (!thread.is_stopping()) {
      std::array<epoll_event, 1> events;
      for (const epoll_event& event : thread.epoll().wait(events, -1)) last = event.data.u64;
    }
  });
  CHECK(thread.is_running());
  thread.stop();
  CHECK_FALSE(thread.is_running());
  CHECK(std::string(name.data()) == "worker-7");
  // When the thread began to wait only after stop(), it had no event.
  CHECK((last == EventTag{EventKind::wake}.pack() || last == ~std::uint64_t{0}));
}

}  // namespace
}  // namespace turnpike::relay
