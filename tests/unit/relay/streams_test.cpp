#include "relay/streams.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>

#include "net/tcp_socket.hpp"
#include "support/certificate.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::relay {
namespace {

using test::client_hello;
using test::connect_to;

struct Pem {
  Pem() {
    const test::Certificate made = test::make_certificate();
    write(certificate, made.certificate);
    write(key, made.private_key);
  }
  ~Pem() {
    std::remove(certificate.c_str());
    std::remove(key.c_str());
  }
  static void write(std::string& path, const std::string& text) {
    const net::Fd fd(mkstemp(path.data()));
    REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  std::string certificate = "/tmp/turnpike-unit-XXXXXX";
  std::string key = "/tmp/turnpike-unit-XXXXXX";
};

// Streams without a worker and without a server: messages that arrive are only counted.
struct Bench {
  explicit Bench(std::optional<Transport> transport)
      : streams(epoll, listeners(transport), {.tls = &tls, .idle = idle, .handshakes = limiter}, {}) {}

  std::vector<StreamListener> listeners(std::optional<Transport> transport) {
    net::Fd socket = net::open_tcp_listener({IpAddress::v4(0x7F000001), 0, 0});
    at = net::connection_endpoint(socket.get()).value();
    std::vector<StreamListener> all;
    all.push_back({.socket = std::move(socket), .endpoint = at, .transport = transport});
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
        streams.on_listener(tag.number, {});
      } else {
        messages += streams.on_event(tag, event.events, {}).messages.size();
      }
      streams.release_received();
    }
    streams.remove_ended();
    return {static_cast<int>(ready.size()), messages};
  }

  net::Epoll epoll;
  Pem pem;
  net::CurrentTls tls{std::make_shared<const net::TlsContext>(pem.certificate, pem.key)};
  IdleConnections idle{{0, 0}};
  AddressLimiter limiter{0, 0, HashKey{1, 0}};
  Endpoint at;
  Streams streams;
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

TEST_CASE("the same holds on a port for all protocols, and plain connections are not delayed", "[streams]") {
  Bench bench(std::nullopt);
  std::vector<net::Fd> hellos;
  for (int i = 0; i < 20; ++i) {
    hellos.push_back(connect_to(bench.at));
    test::write_all(hellos.back().get(), client_hello());
  }
  while (bench.streams.connections() < hellos.size()) bench.pass();
  bench.pass();  // now all have told
  const net::Fd plain = connect_to(bench.at);
  test::write_all(plain.get(), std::string("\0\1\0\0\x21\x12\xA4\x42twelve octet", 20));
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
  while (!client.is_open()) {
    bench.pass();
    client.go_on();
  }
  bench.pass();  // its last word in the handshake
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.write(std::string("\0\1\0\0\x21\x12\xA4\x42twelve octet", 20)));
    CHECK(bench.pass() == std::pair<int, std::size_t>{1, 1});
  }
}

}  // namespace
}  // namespace turnpike::relay
