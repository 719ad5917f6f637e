// Tests how long connections and associations stay, with and without allocations, with all transports of a
// worker but without a server.
#include "relay/clients.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/dtls.hpp"
#include "net/socket_address.hpp"
#include "net/system_random.hpp"
#include "net/tcp_socket.hpp"
#include "net/udp_socket.hpp"
#include "support/pem_files.hpp"
#include "support/proxy_headers.hpp"
#include "support/request_maker.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;
using turn::Output;

const std::string kHello("\0\1\0\0\x21\x12\xA4\x42twelve octet", 20);

// A client by DTLS on a port of its own. `header` comes before each of its datagrams.
struct DtlsLine {
  explicit DtlsLine(const Endpoint& server, std::string before = {})
      : fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), header(std::move(before)) {
    const net::SocketAddress address(server);
    REQUIRE(connect(fd.get(), &address.any, address.size()) == 0);
  }
  void transmit() {
    last_sent.clear();
    dtls.transmit([&](Bytes datagram) { last_sent.push_back(header + std::string(as_text(datagram))); });
    for (int i = 0; i < copies; ++i) repeat();
  }
  void repeat() {
    for (const std::string& datagram : last_sent) test::write_all(fd.get(), datagram);
  }
  void hear() {
    std::array<std::uint8_t, 4096> room;
    for (;;) {
      const ssize_t got = recv(fd.get(), room.data(), room.size(), MSG_DONTWAIT);
      if (got <= 0) return;
      dtls.receive(Bytes(room).first(static_cast<std::size_t>(got)), [&](Bytes) { ++messages; });
    }
  }

  net::Fd fd;
  std::string header;
  client::DtlsClient dtls;
  int copies = 1;  // of each datagram that the client sends
  int messages = 0;
  std::vector<std::string> last_sent;
};

// The clients of one worker. The test says what becomes of their allocations.
struct ClientTown {
  explicit ClientTown(const std::vector<Prefix>& balancers = {})
      : clients(epoll, listeners(balancers),
                {.streams = {.tls = nullptr, .idle = idle, .handshakes = limiters.handshakes},
                 .associations = {.dtls = &dtls, .idle = idle, .limiters = limiters}},
                settings, random, sends) {}

  WorkerListeners listeners(const std::vector<Prefix>& balancers) {
    const Endpoint any_port{IpAddress::v4(0x7F000001), 0};
    net::Fd tcp = net::open_tcp_listener(any_port);
    net::Fd udp = net::open_udp_listener(any_port);
    at = net::connection_endpoint(tcp.get()).value();
    at_udp = net::connection_endpoint(udp.get()).value();
    WorkerListeners all;
    all.streams.push_back({.socket = std::move(tcp), .endpoint = at});
    all.datagrams.push_back(
        {.socket = std::move(udp), .endpoint = at_udp, .balancers = {.addresses = balancers}});
    return all;
  }

  // Connects a client by TCP, which says something. Returns its 5-tuple.
  FiveTuple connects() {
    lines.push_back(test::connect_to(at));
    test::write_all(lines.back().get(), kHello);
    heard.clear();
    while (heard.empty()) pass();
    return heard.back();
  }
  // The client sends its first hello, and gets the cookie.
  void begins(DtlsLine& line) {
    line.dtls.start();
    line.transmit();
    pass();
    line.hear();
  }
  void shakes_hands(DtlsLine& line) {
    while (!line.dtls.is_established()) {
      line.transmit();
      pass();
      line.hear();
    }
  }
  // The client says something. Returns its 5-tuple.
  FiveTuple speaks(DtlsLine& line) {
    heard.clear();
    line.dtls.send(as_bytes(kHello));
    line.transmit();
    pass();
    REQUIRE(!heard.empty());
    return heard.back();
  }
  FiveTuple comes(DtlsLine& line) {
    line.dtls = client::DtlsClient();
    begins(line);
    shakes_hands(line);
    return speaks(line);
  }

  void pass() {
    std::array<epoll_event, 16> events;
    const std::span<const epoll_event> ready = epoll.wait(events, 10'000);
    REQUIRE(!ready.empty());
    for (const epoll_event& event : ready)
      clients.on_event(EventTag::unpack(event.data.u64), event.events, now, pool, *this);
    flush(now);
    clients.remove_ended([](const FiveTuple&) {});
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
  Totals totals() const {
    Totals totals;
    clients.add_counters_to(totals);
    return totals;
  }

  // --- As the worker
  void on_client(const FiveTuple& tuple, Bytes, TimePoint) { heard.push_back(tuple); }
  void on_client_closed(const FiveTuple& tuple, TimePoint) { replaced.push_back(tuple); }
  void flush(TimePoint) {
    clients.send();
    clients.release_received();
    pool.reset();
  }

  net::Epoll epoll;
  net::SystemRandom random;
  net::SendCounters sends;
  net::ReceivePool pool{256};
  IdleConnections idle{{}};
  turn::Limiters limiters{turn::Limits(), HashKey{1, 2}};
  test::PemFiles pem;
  net::CurrentTls dtls{
      std::make_shared<const net::TlsContext>(pem.certificate, pem.private_key, net::TlsKind::dtls)};
  Endpoint at;
  Endpoint at_udp;
  Settings settings;
  Clients clients;
  TimePoint now{SteadyTime(1h), WallTime(1h)};
  std::vector<net::Fd> lines;
  std::vector<FiveTuple> heard;
  std::vector<FiveTuple> replaced;
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

TEST_CASE("a DTLS handshake and the first message have ten seconds each, and what comes later has a minute",
          "[relay]") {
  ClientTown town;
  DtlsLine line(town.at_udp);
  town.begins(line);
  line.transmit();
  town.pass();
  CHECK(town.wait(9s).empty());
  line.hear();
  town.shakes_hands(line);
  CHECK(town.wait(9s).empty());
  FiveTuple client;
  for (int i = 0; i < 2; ++i) {
    client = town.speaks(line);
    CHECK(town.wait(59s).empty());
  }
  CHECK(town.wait(1s) == std::vector<FiveTuple>{client});
  CHECK(town.totals().of<AssociationCounters>().timed_out == 1);
  CHECK(town.idle.count() == 0);
}

TEST_CASE("a network that duplicates datagrams does not disturb a DTLS handshake", "[relay]") {
  ClientTown town;
  DtlsLine line(town.at_udp);
  line.copies = 2;
  town.comes(line);
  CHECK(town.totals().of<AssociationCounters>().begun == 1);
  CHECK(town.totals().of<AssociationCounters>().established == 1);
}

TEST_CASE("of a client that starts again on its port, only the new association stays", "[relay]") {
  ClientTown town;
  DtlsLine line(town.at_udp);
  const FiveTuple former = town.comes(line);
  town.follow(Output::Lifetime::Kind::created, former);
  const FiveTuple present = town.comes(line);
  CHECK(present != former);
  CHECK(town.replaced == std::vector<FiveTuple>{former});
  town.follow(Output::Lifetime::Kind::deleted, former);
  CHECK(town.idle.count() == 1);
  CHECK(town.wait(60s) == std::vector<FiveTuple>{present});
  CHECK(town.idle.count() == 0);
}

TEST_CASE("four DTLS handshakes begin in a pass, and the others when their clients try again", "[relay]") {
  ClientTown town;
  std::vector<DtlsLine> lines;
  for (int i = 0; i < 6; ++i) town.begins(lines.emplace_back(town.at_udp));
  for (DtlsLine& line : lines) line.transmit();
  town.pass();
  CHECK(town.totals().of<AssociationCounters>().begun == 4);
  for (DtlsLine& line : lines) line.repeat();
  town.pass();
  CHECK(town.totals().of<AssociationCounters>().begun == 6);
}

TEST_CASE("an address may begin only so many DTLS handshakes in a second", "[relay]") {
  ClientTown town;
  town.limiters.handshakes.set_limit(1, 1);
  DtlsLine first(town.at_udp);
  DtlsLine second(town.at_udp);
  town.comes(first);
  town.begins(second);
  second.transmit();
  town.pass();
  CHECK(town.totals().of<AssociationCounters>().begun == 1);
  CHECK(town.totals().of<AssociationCounters>().handshakes_withheld == 1);
  CHECK(town.totals().of<AssociationCounters>().refused == 0);
  CHECK(town.idle.count() == 1);
  town.now = town.now + 1s;
  second.repeat();
  town.pass();
  CHECK(town.totals().of<AssociationCounters>().begun == 2);
}

TEST_CASE("a DTLS client behind a balancer stays reachable while it has an allocation, and no longer",
          "[relay][proxied]") {
  using Kind = Output::Lifetime::Kind;
  ClientTown town({{IpAddress::v4(0x7F000001), 32}});
  DtlsLine line(town.at_udp, test::proxy_header(test::endpoint("198.51.100.7:55555")));
  const FiveTuple client = town.comes(line);
  town.follow(Kind::created, client);
  CHECK(town.wait(16min).empty());
  town.clients.add({.tuple = client, .payload = {}}, as_bytes(kHello));
  town.clients.send();
  line.hear();
  CHECK(line.messages == 1);
  CHECK(town.totals().of<ProxyCounters>().begun == 1);

  town.follow(Kind::deleted, client);
  CHECK(town.wait(60s) == std::vector<FiveTuple>{client});
  town.wait(16min);
  town.comes(line);
  CHECK(town.totals().of<ProxyCounters>().begun == 2);
}

}  // namespace
}  // namespace turnpike::relay
