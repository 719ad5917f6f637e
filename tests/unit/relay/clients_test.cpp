// Tests how long connections stay, with and without allocations, with all transports of a worker but without
// a server.
#include "relay/clients.hpp"

#include <sys/epoll.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "net/system_random.hpp"
#include "net/tcp_socket.hpp"
#include "support/request_maker.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;
using turn::Output;

// The clients of one worker. The test says what becomes of their allocations.
struct ClientTown {
  WorkerListeners listeners() {
    const Endpoint any_port{IpAddress::v4(0x7F000001), 0};
    net::Fd socket = net::open_tcp_listener(any_port);
    at = net::connection_endpoint(socket.get()).value();
    WorkerListeners all;
    all.streams.push_back({.socket = std::move(socket), .endpoint = at});
    return all;
  }

  // Connects a client, which says something. Returns its 5-tuple.
  FiveTuple connects() {
    lines.push_back(test::connect_to(at));
    test::write_all(lines.back().get(), std::string("\0\1\0\0\x21\x12\xA4\x42twelve octet", 20));
    heard.clear();
    while (heard.empty()) pass();
    return heard.back();
  }
  void pass() {
    std::array<epoll_event, 16> events;
    const std::span<const epoll_event> ready = epoll.wait(events, 10'000);
    REQUIRE(!ready.empty());
    for (const epoll_event& event : ready)
      clients.on_event(EventTag::unpack(event.data.u64), event.events, now, pool, *this);
    clients.release_received();
  }
  void follow(Output::Lifetime::Kind kind, const FiveTuple& tuple, const FiveTuple& former = {}) {
    Output::Lifetime lifetime;
    lifetime.kind = kind;
    lifetime.tuple = tuple;
    lifetime.former = former;
    clients.follow_allocations({lifetime}, now);
  }
  // Returns the clients that have ended meanwhile.
  std::vector<FiveTuple> wait(Duration duration) {
    std::vector<FiveTuple> ended;
    now = now + duration;
    clients.on_timeout(now);
    clients.remove_ended([&](const FiveTuple& tuple) { ended.push_back(tuple); });
    return ended;
  }

  // --- As the worker
  void on_client(const FiveTuple& tuple, Bytes, TimePoint) { heard.push_back(tuple); }
  void on_client_closed(const FiveTuple&, TimePoint) {}
  void flush(TimePoint) {}

  net::Epoll epoll;
  net::SystemRandom random;
  net::SendCounters sends;
  net::ReceivePool pool{256};
  IdleConnections idle{{}};
  turn::Limiters limiters{turn::Limits(), HashKey{1, 2}};
  Endpoint at;
  Settings settings;
  Clients clients{epoll,
                  listeners(),
                  {.streams = {.tls = nullptr, .idle = idle, .handshakes = limiters.handshakes},
                   .associations = {.dtls = nullptr, .idle = idle, .limiters = limiters}},
                  settings,
                  random,
                  sends};
  TimePoint now{SteadyTime(1h), WallTime(1h)};
  std::vector<net::Fd> lines;
  std::vector<FiveTuple> heard;
};

TEST_CASE("a connection whose allocation has moved away is idle again, and the one that has it now is not",
          "[relay]") {
  using Kind = Output::Lifetime::Kind;
  ClientTown town;
  const FiveTuple first = town.connects();
  town.follow(Kind::created, first);
  CHECK(town.idle.count() == 0);
  const FiveTuple second = town.connects();
  CHECK(town.idle.count() == 1);
  town.follow(Kind::moved, second, first);
  CHECK(town.idle.count() == 1);
  CHECK(town.wait(59s).empty());
  CHECK(town.wait(1s) == std::vector<FiveTuple>{first});
  CHECK(town.idle.count() == 0);

  const FiveTuple by_udp{test::endpoint("198.51.100.1:1000"), test::endpoint("192.0.2.1:3478")};
  CHECK(town.wait(1h).empty());
  town.follow(Kind::moved, by_udp, second);
  CHECK(town.wait(59s).empty());
  CHECK(town.wait(1s) == std::vector<FiveTuple>{second});
}

TEST_CASE("a connection whose allocation has ended is idle again", "[relay]") {
  using Kind = Output::Lifetime::Kind;
  ClientTown town;
  const FiveTuple client = town.connects();
  town.follow(Kind::created, client);
  CHECK(town.wait(1h).empty());
  town.follow(Kind::deleted, client);
  CHECK(town.idle.count() == 1);
  CHECK(town.wait(59s).empty());
  CHECK(town.wait(1s) == std::vector<FiveTuple>{client});
}

}  // namespace
}  // namespace turnpike::relay
