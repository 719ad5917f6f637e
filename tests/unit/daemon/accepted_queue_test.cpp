#include "daemon/accepted_queue.hpp"

#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

#include "net/accepted_connection.hpp"

namespace turnpike::daemon {
namespace {

using Queue = AcceptedQueue<net::AcceptedConnection>;

// A connection; `other` is its far end.
struct Pair {
  Pair() {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    other = net::Fd(ends[0]);
    connection = net::Fd(ends[1]);
  }
  bool is_closed() const {
    char byte;
    return read(other.get(), &byte, 1) ==
           0;  // the end; blocks where it is open, so ask only where it must be closed
  }
  net::Fd other;
  net::Fd connection;
};

TEST_CASE("the taker is woken once for all that wait", "[server]") {
  Queue arrivals;
  Pair a;
  Pair b;
  CHECK(arrivals.add(std::move(a.connection), {}));
  CHECK_FALSE(arrivals.add(std::move(b.connection), {}));
  CHECK(arrivals.take_waiting().size() == 2);
  CHECK(arrivals.take_waiting().empty());
  CHECK(arrivals.add(std::move(Pair().connection), {}));
}

TEST_CASE("the number of waiting connections is limited, and dropped ones are closed and counted",
          "[server]") {
  Queue arrivals;
  for (std::size_t i = 0; i < Queue::kMax; ++i) arrivals.add(net::Fd(dup(0)), {});
  Pair more;
  CHECK_FALSE(arrivals.add(std::move(more.connection), {}));
  CHECK(more.is_closed());
  CHECK(arrivals.dropped() == 1);
  CHECK(arrivals.take_waiting().size() == Queue::kMax);
  CHECK(arrivals.add(net::Fd(dup(0)), {}));
}

TEST_CASE("after the end nothing waits, and what comes is closed", "[server]") {
  Queue arrivals;
  Pair before;
  Pair after;
  arrivals.add(std::move(before.connection), {});
  arrivals.close();
  CHECK(before.is_closed());
  CHECK_FALSE(arrivals.add(std::move(after.connection), {}));
  CHECK(after.is_closed());
  CHECK(arrivals.dropped() == 2);
  CHECK(arrivals.take_waiting().empty());
}

}  // namespace
}  // namespace turnpike::daemon
