// Tests clients behind load balancers with the table alone, without sockets, and with a manual clock.
#include "relay/proxied_clients.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "support/manual_clock.hpp"
#include "support/proxy_headers.hpp"

using namespace turnpike;
using namespace turnpike::relay;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kListener = 3;
const Endpoint kServer = Endpoint::parse("192.0.2.1:3478").value();
const Endpoint kAnn = Endpoint::parse("198.51.100.7:55555").value();
const Endpoint kBen = Endpoint::parse("[2001:db8::7]:4660").value();

// Returns the balancer's socket with this number.
Endpoint socket(std::uint32_t number) {
  return {IpAddress::v4(0x0A000000 + (number >> 16)), static_cast<std::uint16_t>(number), 0};
}

// Returns whose a datagram is: an address, "itself" for the balancer's own, or "nobody".
struct Table {
  explicit Table(bool first_only) {
    balancers.addresses = {{IpAddress::v4(0x0A000000), 8}};
    balancers.header_on_first_only = first_only;
  }

  std::optional<ProxiedClients::Arrival> receive(const Endpoint& from, const std::string& datagram) {
    return clients.receive(balancers, {from, kServer, Transport::udp, path_of_listener(kListener)},
                           as_bytes(datagram), clock.now().steady);
  }
  std::string whose(const Endpoint& from, const std::string& datagram) {
    const auto arrival = receive(from, datagram);
    if (!arrival) return "nobody";
    CHECK(arrival->tuple.server == kServer);
    CHECK(arrival->tuple.transport == Transport::udp);
    CHECK(ProxiedClients::listener_of(arrival->tuple.path) == kListener);
    CHECK(datagram.substr(arrival->header_size) == "payload");
    if (!ProxiedClients::is_proxied(arrival->tuple.path)) return "itself";
    return arrival->tuple.client.to_string();
  }
  PathId path(const Endpoint& from, const Endpoint& client) {
    return receive(from, proxy_header(client)).value().tuple.path;
  }
  std::string route_to(PathId path) {
    const Endpoint* way = clients.route_to(path);
    return way ? way->to_string() : "nowhere";
  }
  void wait(Duration duration) {
    clock.advance(duration);
    if (clients.next_deadline() <= clock.now().steady) clients.on_timeout(clock.now().steady);
  }

  Balancers balancers;
  ManualClock clock;
  ProxiedClients clients{HashKey{1, 2}};
};

const std::string kOfAnn = proxy_header(kAnn) + "payload";
const std::string kOfBen = proxy_header(kBen) + "payload";

}  // namespace

TEST_CASE("only the header on each datagram names its client", "[proxied]") {
  Table table(false);
  CHECK(table.whose(socket(1), kOfAnn) == kAnn.to_string());
  CHECK(table.whose(socket(2), kOfBen) == kBen.to_string());
  CHECK(table.whose(socket(1), kOfAnn) == kAnn.to_string());
  CHECK(table.whose(socket(1), "payload") == "nobody");
  CHECK(table.whose(socket(3), "payload") == "nobody");
  CHECK(table.whose(socket(1), "PROXY TCP4 198.51.100.7 192.0.2.1 55555 3478\r\npayload") ==
        kAnn.to_string());
  CHECK(table.clients.counters().without_header == 2);
  CHECK(table.clients.counters().begun == 2);
}

TEST_CASE("answers go the way that the client came, until another client has that way", "[proxied]") {
  Table table(false);
  const PathId ann = table.path(socket(1), kAnn);
  const PathId ben = table.path(socket(2), kBen);
  CHECK(table.path(socket(1), kAnn) == ann);
  CHECK(table.route_to(ann) == socket(1).to_string());
  CHECK(table.route_to(ben) == socket(2).to_string());

  // One client that comes by two ways counts as two.
  const PathId other = table.path(socket(4), kAnn);
  CHECK(other != ann);
  CHECK(table.route_to(ann) == socket(1).to_string());

  // The balancer gives Ann's port to Ben, whether she has an allocation or not.
  table.clients.set_allocation(ann, true);
  const PathId again = table.path(socket(1), kBen);
  CHECK(again != ben);
  CHECK(table.route_to(ann) == "nowhere");
  CHECK(table.route_to(again) == socket(1).to_string());
  table.clients.set_allocation(ann, false);
  CHECK(table.clients.flows() == 3);
  CHECK(table.clients.counters().unreachable == 1);
}

TEST_CASE("with a header on the first datagram only, later datagrams belong to the same client",
          "[proxied]") {
  Table table(true);
  CHECK(table.whose(socket(1), "payload") == "nobody");
  CHECK(table.whose(socket(1), kOfAnn) == kAnn.to_string());
  CHECK(table.whose(socket(1), "payload") == kAnn.to_string());
  CHECK(table.whose(socket(1), kOfAnn) == kAnn.to_string());
  CHECK(table.whose(socket(2), "payload") == "nobody");

  // The client itself has written the later header.
  CHECK(table.whose(socket(1), kOfBen) == "nobody");
  CHECK(table.whose(socket(1), local_proxy_header() + "payload") == "nobody");
  CHECK(table.whose(socket(1), "PROXY UNKNOWN\r\npayload") == "nobody");
  CHECK(table.whose(socket(1), "payload") == kAnn.to_string());
  CHECK(table.clients.counters().contradicted == 3);
  CHECK(table.clients.counters().begun == 1);
}

TEST_CASE("health checks of the balancer are answered, and change no flow", "[proxied]") {
  for (const bool first_only : {false, true}) {
    Table table(first_only);
    CHECK(table.whose(socket(9), local_proxy_header() + "payload") == "itself");
    CHECK(table.whose(socket(9), "PROXY UNKNOWN\r\npayload") == "itself");
    CHECK(table.clients.flows() == 0);
    CHECK(table.clients.counters().begun == 0);
  }
  Table table(false);
  const PathId ann = table.path(socket(1), kAnn);
  CHECK(table.whose(socket(1), local_proxy_header() + "payload") == "itself");
  CHECK(table.route_to(ann) == socket(1).to_string());
}

TEST_CASE("datagrams of others, or without a valid header, are dropped", "[proxied]") {
  Table table(false);
  for (const char* from : {"11.0.0.1:1", "127.0.0.1:1", "[::1]:1"}) {
    CHECK(table.whose(Endpoint::parse(from).value(), kOfAnn) == "nobody");
  }
  CHECK(table.clients.counters().untrusted == 3);
  const std::string header = proxy_header(kAnn);
  for (std::size_t size = 12; size < header.size(); ++size) {
    CHECK(table.whose(socket(1), header.substr(0, size)) == "nobody");
  }
  CHECK(table.clients.counters().malformed == header.size() - 12);
  CHECK(table.whose(socket(1), "PROXY TCP4 198.51.100.7\r\npayload") == "nobody");
  CHECK(table.whose(socket(1), "PROXY TCP4 198.51.100.7 192.0.2.1 1 2 payload") == "nobody");
  CHECK(table.whose(socket(1), header.substr(0, 11)) == "nobody");
  CHECK(table.whose(socket(1), "") == "nobody");
  CHECK(table.clients.counters().malformed == header.size() - 10);
  CHECK(table.clients.counters().without_header == 2);
  CHECK(table.clients.flows() == 0);
}

TEST_CASE("a flow is forgotten after a quarter of an hour, but not while it is held", "[proxied]") {
  Table table(true);
  CHECK(table.clients.next_deadline() == SteadyTime::max());
  const PathId ann = table.path(socket(1), kAnn);
  const PathId ben = table.path(socket(2), kBen);
  table.wait(10min);
  CHECK(table.whose(socket(1), "payload") == kAnn.to_string());
  table.wait(5min);
  CHECK(table.route_to(ann) == socket(1).to_string());
  CHECK(table.route_to(ben) == "nowhere");
  CHECK(table.whose(socket(2), "payload") == "nobody");

  table.clients.set_allocation(ann, true);
  table.clients.set_allocation(ann, true);
  table.clients.hold(ann);
  CHECK(table.clients.next_deadline() == SteadyTime::max());
  table.wait(24h);
  CHECK(table.route_to(ann) == socket(1).to_string());
  table.clients.set_allocation(ann, false);
  table.clients.set_allocation(ann, false);
  table.wait(24h);
  CHECK(table.whose(socket(1), "payload") == kAnn.to_string());
  table.clients.release(ann);
  table.wait(14min);
  CHECK(table.route_to(ann) == socket(1).to_string());
  table.wait(1min);
  CHECK(table.route_to(ann) == "nowhere");
  CHECK(table.clients.flows() == 0);

  // A flow that is released is as new as one that was heard just now.
  const PathId cid = table.path(socket(3), kAnn);
  table.clients.hold(cid);
  table.wait(24h);
  table.whose(socket(2), "payload");  // of another client
  table.clients.release(cid);
  table.wait(14min);
  CHECK(table.route_to(cid) == socket(3).to_string());
  table.wait(1min);
  CHECK(table.route_to(cid) == "nowhere");

  // These are numbers of others, and of flows that have ended.
  for (const PathId path : {ann, ben, PathId{0}, path_of_listener(kListener), PathId{~std::uint64_t{0}}}) {
    table.clients.hold(path);
    table.clients.release(path);
    table.clients.set_allocation(path, true);
    CHECK(table.route_to(path) == "nowhere");
  }
}

TEST_CASE("when the table is full and each datagram has a header, the oldest flow is dropped", "[proxied]") {
  Table table(false);
  const PathId held = table.path(socket(0), kAnn);
  table.clients.set_allocation(held, true);
  const PathId oldest = table.path(socket(1), kBen);
  for (std::uint32_t i = 2; i < ProxiedClients::kMaxFlows; ++i) table.path(socket(i), kAnn);
  CHECK(table.clients.flows() == ProxiedClients::kMaxFlows);
  CHECK(table.clients.counters().evicted == 0);
  CHECK(table.route_to(oldest) == socket(1).to_string());
  CHECK(table.whose(socket(ProxiedClients::kMaxFlows), kOfAnn) == kAnn.to_string());
  CHECK(table.clients.flows() == ProxiedClients::kMaxFlows);
  CHECK(table.clients.counters().evicted == 1);
  CHECK(table.route_to(oldest) == "nowhere");
  CHECK(table.route_to(held) == socket(0).to_string());
  CHECK(table.whose(socket(1), kOfBen) == kBen.to_string());
}

TEST_CASE("a full table of flows that cannot be dropped accepts no more", "[proxied]") {
  for (const bool first_only : {false, true}) {
    Table table(first_only);
    for (std::uint32_t i = 0; i < ProxiedClients::kMaxFlows; ++i) {
      const PathId path = table.path(socket(i), kAnn);
      if (!first_only) table.clients.hold(path);
    }
    CHECK(table.whose(socket(ProxiedClients::kMaxFlows), kOfBen) == "nobody");
    CHECK(table.clients.counters().no_room == 1);
    CHECK(table.clients.counters().evicted == 0);
    CHECK(table.whose(socket(5), kOfAnn) == kAnn.to_string());
    CHECK(table.clients.flows() == ProxiedClients::kMaxFlows);
  }
}
