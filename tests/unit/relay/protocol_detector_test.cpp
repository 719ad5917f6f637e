#include "relay/protocol_detector.hpp"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "net/tcp_socket.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::relay {
namespace {

using Verdict = ProtocolDetector::Verdict;
using namespace std::string_literals;

// A connection whose server side is examined. Small pieces may wait for acknowledgements even on loopback,
// and this congestion control, which every kernel has, lets them wait least.
struct Pair {
  Pair() {
    const net::Fd listener = net::open_tcp_listener({IpAddress::v4(0x7F000001), 0, 0});
    client = test::connect_to(net::connection_endpoint(listener.get()).value());
    setsockopt(client.get(), IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    const int at_once = 1;
    setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    pollfd waiting{listener.get(), POLLIN, 0};
    REQUIRE(poll(&waiting, 1, 5000) == 1);
    server = std::move(net::accept_tcp(listener.get())->fd);
  }
  // Waits until this many octets have arrived that nobody has read.
  void wait_for(std::size_t octets) const {
    int there = 0;
    for (int tries = 0; there < static_cast<int>(octets) && tries < 5000; ++tries) {
      REQUIRE(ioctl(server.get(), FIONREAD, &there) == 0);
      if (there < static_cast<int>(octets)) poll(nullptr, 0, 1);
    }
    REQUIRE(there == static_cast<int>(octets));
  }
  // Returns whether epoll would report the connection.
  bool is_reported() const {
    pollfd waiting{server.get(), POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
  }
  std::string unread() const {
    char octets[40'000];
    const ssize_t got = recv(server.get(), octets, sizeof octets, MSG_DONTWAIT);
    return {octets, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  net::Fd client;
  net::Fd server;
};

const IsOurs kIsOurs = [](std::string_view name) { return name == "ours.example"; };

// Returns the verdict on octets that arrive a few at a time, and are examined only when epoll reports them.
// Examined octets stay in the socket. Single octets would fill the kernel's memory, and then each would be
// reported.
Verdict judge_slowly(const std::string& said) {
  const std::size_t piece_size = std::max<std::size_t>(5, said.size() / 60);
  const Pair pair;
  ProtocolDetector detector(false, std::nullopt, &kIsOurs);
  Verdict verdict = Verdict::wait;
  std::size_t sent = 0;
  int looks = 0;
  while (verdict == Verdict::wait && sent < said.size()) {
    const std::string piece = said.substr(sent, piece_size);
    test::write_all(pair.client.get(), piece);
    sent += piece.size();
    pair.wait_for(sent);
    if (!pair.is_reported()) continue;
    verdict = detector.read(pair.server.get(), false);
    ++looks;
    if (verdict == Verdict::wait) REQUIRE_FALSE(pair.is_reported());
  }
  CHECK(looks <= 100);
  if (verdict != Verdict::wait) CHECK(pair.is_reported());
  CHECK(pair.unread() == said.substr(0, sent));
  return verdict;
}

Verdict judge(const std::string& said, bool at_end = false) {
  const Pair pair;
  ProtocolDetector detector(false, std::nullopt, &kIsOurs);
  test::write_all(pair.client.get(), said);
  return detector.read(pair.server.get(), at_end);
}

TEST_CASE("with a web server, the name decides, and no octets are taken", "[detector]") {
  const std::pair<std::string, Verdict> cases[] = {
      {test::client_hello("ours.example"), Verdict::tls},
      {test::client_hello("other.example"), Verdict::web},
      {test::client_hello(), Verdict::tls},
      {"\x16\2"s, Verdict::tls},
      {"GET / HTTP/1.1\r\nHost: ours.example:80\r\n", Verdict::http},
      {"GET / HTTP/1.1\r\nHost: other.example\r\n", Verdict::web},
      {"GET / HTTP/1.1\r\n\r\n", Verdict::web},
      {"GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: ours.example\r\n", Verdict::web},
      {"GET / HTTP/1.1\r\nHost:\r\n", Verdict::web},
      {"\0"s, Verdict::turn},
      {"\xFF"s, Verdict::broken},
  };
  for (const auto& [said, verdict] : cases) {
    CAPTURE(said);
    CHECK(judge(said) == verdict);
    CHECK(judge_slowly(said) == verdict);
    if (said.size() > 2) CHECK(judge(said.substr(0, said.size() - 1)) == Verdict::wait);
    if (said.size() > 2) CHECK(judge(said.substr(0, said.size() - 1), true) == Verdict::broken);
    CHECK(judge(said, true) == verdict);
  }
}

TEST_CASE("while the name is incomplete, only the end of the connection is reported", "[detector]") {
  const std::string hello = test::client_hello("other.example");
  for (const std::string& begun : {"GET / HTTP/1.1\r\nHost: oth"s, hello.substr(0, 100)}) {
    const Pair pair;
    ProtocolDetector detector(false, std::nullopt, &kIsOurs);
    test::write_all(pair.client.get(), begun);
    CHECK(detector.read(pair.server.get(), false) == Verdict::wait);
    CHECK_FALSE(pair.is_reported());
    shutdown(pair.client.get(), SHUT_WR);
    CHECK(pair.is_reported());
    CHECK(detector.read(pair.server.get(), true) == Verdict::broken);
  }
}

// The kernel reports a connection when it has no room for more, whatever the low-water mark is.
TEST_CASE("a connection whose buffer is full is served as if it asked for no name", "[detector]") {
  const std::string hello = test::client_hello("other.example");
  for (const auto& [begun, verdict] :
       {std::pair{"GET / HTTP/1.1\r\nHost: oth"s, Verdict::web}, {hello.substr(0, 100), Verdict::tls}}) {
    const Pair pair;
    ProtocolDetector detector(false, std::nullopt, &kIsOurs);
    test::write_all(pair.client.get(), begun);
    CHECK(detector.read(pair.server.get(), false) == Verdict::wait);
    CHECK(detector.read(pair.server.get(), false) == verdict);
    CHECK(pair.is_reported());
  }
}

TEST_CASE("without a web server, the first octet decides", "[detector]") {
  for (const auto& [said, verdict] :
       {std::pair{"\x16"s, Verdict::tls}, {"G"s, Verdict::http}, {"\0"s, Verdict::turn}}) {
    const Pair pair;
    ProtocolDetector detector(false, std::nullopt);
    test::write_all(pair.client.get(), said);
    CHECK(detector.read(pair.server.get(), false) == verdict);
  }
}

TEST_CASE("behind a load balancer, the name comes after the header", "[detector]") {
  const Pair pair;
  ProtocolDetector detector(true, std::nullopt, &kIsOurs);
  const std::string hello = test::client_hello("other.example");
  test::write_all(pair.client.get(), "PROXY TCP4 198.51.100.7 203.0.113.9 55555 443\r\n" + hello);
  CHECK(detector.read(pair.server.get(), false) == Verdict::web);
  CHECK(detector.client()->to_string() == "198.51.100.7:55555");
  CHECK(pair.unread() == hello);
}

TEST_CASE("the header of a load balancer may come in pieces, and nothing behind it is taken", "[detector]") {
  const std::string header = "PROXY TCP4 198.51.100.7 203.0.113.9 55555 443\r\n";
  const std::string message = "\0\1 a message of STUN"s;
  for (const std::size_t cut : {std::size_t{1}, std::size_t{20}, header.size() - 1}) {
    CAPTURE(cut);
    const Pair pair;
    ProtocolDetector detector(true, std::nullopt, nullptr);
    test::write_all(pair.client.get(), header.substr(0, cut));
    pair.wait_for(cut);
    CHECK(detector.read(pair.server.get(), false) == Verdict::wait);
    const std::string rest = header.substr(cut) + message;
    test::write_all(pair.client.get(), rest);
    pair.wait_for(rest.size());
    CHECK(detector.read(pair.server.get(), false) == Verdict::turn);
    CHECK(detector.client()->to_string() == "198.51.100.7:55555");
    CHECK(pair.unread() == message);
  }
}

}  // namespace
}  // namespace turnpike::relay
