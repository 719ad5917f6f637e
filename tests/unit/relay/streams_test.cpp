#include "relay/streams.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

#include <array>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/tcp_socket.hpp"
#include "relay/settings.hpp"
#include "support/pem_files.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;
using test::client_hello;
using test::connect_to;

const std::string kRequest("\0\1\0\0\x21\x12\xA4\x42twelve octet", 20);

// Streams without a worker and without a server: messages that arrive are only counted.
struct Bench {
  explicit Bench(std::optional<Transport> transport, const std::vector<Prefix>& balancers = {})
      : streams(epoll, listeners(transport, balancers), {.tls = &tls, .idle = idle, .handshakes = limiter},
                {}) {}

  // The kernel stores little for a client that does not read.
  std::vector<StreamListener> listeners(std::optional<Transport> transport,
                                        const std::vector<Prefix>& balancers) {
    net::Fd socket = net::open_tcp_listener({IpAddress::v4(0x7F000001), 0, 0});
    const int least = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    at = net::connection_endpoint(socket.get()).value();
    std::vector<StreamListener> all;
    all.push_back(
        {.socket = std::move(socket), .endpoint = at, .transport = transport, .balancers = balancers});
    return all;
  }

  // Runs one pass. Returns the number of events, and of the messages that they brought.
  std::pair<int, std::size_t> pass() {
    std::array<epoll_event, 64> events;
    const std::span<const epoll_event> ready = epoll.wait(events, 5000);
    std::size_t messages = 0;
    for (const epoll_event& event : ready) {
      const EventTag tag = EventTag::unpack(event.data.u64);
      if (tag.kind == EventKind::stream_listener) {
        streams.on_listener(tag.number, now);
      } else {
        const Streams::Received received = streams.on_event(tag, event.events, now);
        messages += received.messages.size();
        if (!received.messages.empty()) heard_last = received.tuple;
      }
      streams.release_received();
    }
    streams.remove_ended();
    return {static_cast<int>(ready.size()), messages};
  }
  // Sends what the client says, and makes passes until `count` messages have come of it.
  void hear(const net::Fd& client, const std::string& said, std::size_t count = 1) {
    test::write_all(client.get(), said);
    for (std::size_t messages = 0; messages < count;) {
      const auto [events, more] = pass();
      REQUIRE(events != 0);
      messages += more;
    }
  }
  void shake_hands(test::TlsProbe& client) {
    while (!client.is_open()) {
      pass();
      client.go_on();
    }
    pass();  // its last word in the handshake
  }
  void wait(Duration duration) {
    now = now + duration;
    streams.on_timeout(now);
    streams.remove_ended();
  }
  void give_allocation(bool has_allocation) { streams.set_allocation(*heard_last, has_allocation, now); }
  // Sends answers that the client does not read. Returns how many octets of them had a place before the
  // connection ended.
  std::size_t answer_in_vain() {
    const std::string answer = std::string("\1\1\x20\0", 4).append((8 << 10) + 16, 'x');
    std::size_t total = 0;
    while (streams.ended().empty()) {
      REQUIRE(total < 64 << 20);
      streams.add({.tuple = *heard_last, .payload = {}}, as_bytes(answer));
      streams.send();
      total += answer.size();
    }
    return total - answer.size();
  }

  net::Epoll epoll;
  test::PemFiles pem;
  net::CurrentTls tls{std::make_shared<const net::TlsContext>(pem.certificate, pem.private_key)};
  IdleConnections idle{{0, 0}};
  AddressLimiter limiter{0, 0, HashKey{1, 0}};
  Endpoint at;
  Streams streams;
  TimePoint now{SteadyTime(1h), WallTime(1h)};
  std::optional<FiveTuple> heard_last;  // the client of the last message
};

std::size_t answered(const std::vector<net::Fd>& clients) {
  std::size_t count = 0;
  char byte = 0;
  for (const net::Fd& fd : clients) count += recv(fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1 ? 1 : 0;
  return count;
}

TEST_CASE("a pass handles one of the TLS handshakes that can continue", "[streams]") {
  Bench bench(Transport::tls);
  std::vector<net::Fd> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(connect_to(bench.at));
    test::write_all(clients.back().get(), client_hello());
  }
  while (bench.streams.connections() < clients.size()) bench.pass();
  const std::size_t before = answered(clients);
  REQUIRE(before <= 1);  // while the last were accepted
  for (std::size_t done = before; done < clients.size(); ++done) {
    CHECK(bench.pass() == std::pair<int, std::size_t>{1, 0});
    CHECK(answered(clients) == done + 1);
  }
}

TEST_CASE("on a port for all protocols, TLS handshakes go on one by one and delay no plain connection",
          "[streams]") {
  Bench bench(std::nullopt);
  std::vector<net::Fd> hellos;
  for (int i = 0; i < 20; ++i) {
    hellos.push_back(connect_to(bench.at));
    test::write_all(hellos.back().get(), client_hello());
  }
  while (bench.streams.connections() < hellos.size()) bench.pass();
  bench.pass();  // now all have told
  const net::Fd plain = connect_to(bench.at);
  test::write_all(plain.get(), kRequest);
  std::size_t messages = 0;
  int passes = 0;
  while (messages == 0 && ++passes < 10) messages += bench.pass().second;
  CHECK(messages == 1);
  CHECK(passes <= 2);  // to be accepted, and to be read
  CHECK(answered(hellos) <= 4);
}

TEST_CASE("an established connection is handled like the others", "[streams]") {
  Bench bench(Transport::tls);
  net::Fd fd = connect_to(bench.at);
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  test::TlsProbe client(std::move(fd), {});
  bench.shake_hands(client);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.write(kRequest));
    CHECK(bench.pass() == std::pair<int, std::size_t>{1, 1});
  }
}

TEST_CASE("a handshake and the first message have ten seconds each, and what comes later has a minute",
          "[streams]") {
  Bench bench(Transport::tls);
  net::Fd fd = connect_to(bench.at);
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  bench.pass();
  bench.wait(9s);
  REQUIRE(bench.streams.connections() == 1);
  test::TlsProbe client(std::move(fd), {});
  bench.shake_hands(client);
  bench.wait(9s);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(bench.streams.connections() == 1);
    REQUIRE(client.write(kRequest));
    CHECK(bench.pass().second == 1);
    bench.wait(59s);
  }
  CHECK(bench.streams.connections() == 1);
  bench.wait(1s);
  CHECK(bench.streams.connections() == 0);
  CHECK(bench.streams.counters().timed_out == 1);
}

TEST_CASE("when its allocation has ended, a client may send no longer messages than a stranger",
          "[streams]") {
  Bench bench(Transport::tcp);
  const net::Fd client = connect_to(bench.at);
  bench.hear(client, kRequest);
  const std::string longer = std::string("\0\1\x23\0\x21\x12\xA4\x42twelve octet", 20).append(0x2300, 'x');
  bench.give_allocation(true);
  bench.hear(client, longer);
  bench.give_allocation(false);
  test::write_all(client.get(), longer.substr(0, longer.size() / 2));
  bench.pass();
  CHECK(bench.streams.connections() == 0);
}

TEST_CASE("when its allocation has ended, no more waits for a client than for a stranger", "[streams]") {
  const auto room = [](std::initializer_list<bool> allocations) {
    Bench bench(Transport::tcp);
    const net::Fd client = connect_to(bench.at);
    bench.hear(client, kRequest);
    for (const bool has_allocation : allocations) bench.give_allocation(has_allocation);
    return bench.answer_in_vain();
  };
  const std::size_t of_stranger = room({});
  const std::size_t with_allocation = room({true});
  constexpr std::size_t kHalf = (net::Stream::kControlLimit - net::Stream::kStrangerLimit) / 2;
  REQUIRE(with_allocation > of_stranger + kHalf);
  CHECK(room({true, false}) < of_stranger + kHalf);
}

TEST_CASE("an address may begin only so many TLS handshakes in a second", "[streams]") {
  Bench bench(Transport::tls);
  bench.limiter.set_limit(2, 2);
  std::vector<net::Fd> clients;
  const auto connect_all = [&](std::uint64_t accepted) {
    while (clients.size() < accepted) clients.push_back(connect_to(bench.at));
    while (bench.streams.counters().accepted < accepted) REQUIRE(bench.pass().first != 0);
  };
  connect_all(3);
  CHECK(bench.streams.connections() == 2);
  CHECK(bench.streams.counters().handshakes_withheld == 1);
  bench.wait(1s);
  connect_all(4);
  CHECK(bench.streams.connections() == 3);
}

TEST_CASE("a connection from somebody other than the balancers reaches no limit, and is counted by itself",
          "[streams]") {
  Bench bench(Transport::tcp, {{IpAddress::v4(0xC6336400), 24}});
  const net::Fd stranger = connect_to(bench.at);
  bench.pass();
  CHECK(bench.streams.connections() == 0);
  CHECK(bench.streams.counters().untrusted == 1);
  CHECK(bench.streams.counters().refused == 0);
}

// Before the header, only the address of the balancer is known, and it is none of a client's.
TEST_CASE("new networks of clients do not concern connections whose client is not known yet", "[streams]") {
  Bench bench(Transport::tcp, {{IpAddress::v4(0x7F000001), 32}});
  const net::Fd client = connect_to(bench.at);
  while (bench.streams.connections() == 0) bench.pass();
  const auto admit = [&](std::uint32_t network) {
    Settings settings;
    settings.clients = std::make_shared<const turn::ClientPolicy>(
        turn::ClientParams{.allow = {{IpAddress::v4(network), 24}}, .deny = {}, .exempt = {}});
    bench.streams.use(settings);
    bench.streams.remove_ended();
    return settings.clients;
  };
  const auto these = admit(0xC6336400);
  bench.hear(client, "PROXY TCP4 198.51.100.7 203.0.113.9 55555 3478\r\n" + kRequest);
  CHECK(bench.heard_last->client.address == IpAddress::v4(0xC6336407));
  const auto others = admit(0xC0000200);
  CHECK(bench.streams.connections() == 0);
}

}  // namespace
}  // namespace turnpike::relay
