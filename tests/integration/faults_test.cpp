// Tests what must not stop the daemon or delay other clients: hostile datagrams, peers that refuse, and a
// lack of resources.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <random>

#include "net/udp_socket.hpp"
#include "support/daemon.hpp"
#include "support/process.hpp"
#include "support/quiet_port.hpp"
#include "support/relay_client.hpp"
#include "support/tls_daemon.hpp"
#include "support/tls_probe.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

void expect_relaying(RelayClient& client, client::UdpSocket& peer) {
  client.send(peer.local(), octets("still there"));
  const auto datagram = peer.receive(10s);
  REQUIRE(datagram);
  CHECK((datagram->bytes == octets("still there")));
}

// Returns how many answers arrive before the one to this request, which was sent last.
std::size_t answers_before(RelayClient& client, stun::Method last) {
  for (std::size_t count = 0;; ++count) {
    const auto answer = client.receive_raw(10s);
    REQUIRE(answer);
    if (stun::MessageView::parse(answer->bytes)->type().method == last) return count;
  }
}

// Sends CreatePermission for `count` addresses of 20.0.0.0/8, from `first` on.
int permit_many(RelayClient& client, std::uint32_t first, std::uint32_t count) {
  std::vector<Endpoint> peers;
  for (std::uint32_t i = 0; i < count; ++i) peers.push_back({IpAddress::v4(0x14000000 + first + i), 0});
  return client.ask(client.turn().create_permission(peers));
}

// Stops the daemon. Datagrams that arrive after this wait until SIGCONT.
void stop_for_a_burst(pid_t pid) {
  REQUIRE(kill(pid, SIGSTOP) == 0);
  // When the kernel reports this, the process has stopped.
  siginfo_t stopped{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(pid), &stopped, WSTOPPED | WNOWAIT) == 0);
}

// Limits how much memory the process may map in addition to what it has.
void leave_memory(pid_t pid, std::size_t bytes) {
  const rlimit limit{mapped_kib(pid) * 1024 + bytes, RLIM_INFINITY};
  REQUIRE(prlimit(pid, RLIMIT_AS, &limit, nullptr) == 0);
}

}  // namespace

TEST_CASE("5,000 random datagrams change nothing", "[integration]") {
  Daemon daemon;
  RelayClient client(daemon.listener());
  client::UdpSocket peer(loopback(Family::ipv4));
  client::UdpSocket stranger(*Endpoint::parse("127.0.0.9:0"));  // no permission is for it
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.permit(peer.local()) == 0);
  std::mt19937 random(8656);
  for (int i = 0; i < 5000; ++i) {
    Octets noise(random() % 600);
    for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(random());
    // A third of them are valid STUN up to the attributes.
    if (i % 3 == 0 && noise.size() >= 20) {
      noise.resize(noise.size() / 4 * 4);
      store_u16(noise.data(), static_cast<std::uint16_t>(random() % 0x200));
      store_u16(&noise[2], static_cast<std::uint16_t>(noise.size() - 20));
      store_u32(&noise[4], stun::kMagicCookie);
    }
    stranger.send_to(noise, daemon.listener());
    if (i % 2 == 0) client.send_raw(noise);
    if (i % 5 == 0) stranger.send_to(noise, client.relayed());
  }
  CHECK(client.refresh(600s) == 0);
  expect_relaying(client, peer);
  CHECK_FALSE(client.receive(50ms));
  CHECK(daemon.stop() == 0);
  CHECK(count(daemon.log(), "allocation created") == 1);
}

TEST_CASE("ChannelData that claims more than it brings is dropped", "[integration]") {
  Daemon daemon;
  RelayClient client(daemon.listener());
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.bind(0x4000, peer.local()) == 0);
  const Octets lie{0x40, 0x00, 0x8a, 0xb6, 1, 2, 3};
  client.send_raw(lie);
  client.send_on_channel(0x4000, octets("true"));
  const auto datagram = peer.receive(10s);
  REQUIRE(datagram);
  CHECK((datagram->bytes == octets("true")));
}

// Returns an address where nobody receives.
Endpoint closed_port(Family family) { return quiet_endpoint(loopback(family).address); }

TEST_CASE("a peer that refuses comes back as an ICMP error and disturbs nobody else", "[integration]") {
  Daemon daemon;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    RelayClient client(daemon.listener());
    client::UdpSocket peer(loopback(family));
    const Endpoint closed = closed_port(family);
    client::RequestContents contents;
    contents.requested_family = family;
    REQUIRE(client.allocate(contents) == 0);
    REQUIRE(client.permit(peer.local()) == 0);
    client.send(closed, octets("anybody?"));
    const auto arrival = client.receive();
    REQUIRE(arrival);
    REQUIRE(arrival->icmp);
    CHECK(*arrival->icmp == (family == Family::ipv4 ? stun::Icmp{3, 3, 0} : stun::Icmp{1, 4, 0}));
    CHECK(arrival->peer == closed);
    for (int i = 0; i < 200; ++i) client.send(closed, octets("anybody?"));
    for (int i = 0; i < 20; ++i) {
      client.send(closed, octets("anybody?"));
      expect_relaying(client, peer);
    }
  }
}

// The daemon receives all of them in one pass. On loopback, the ICMP error for the first one arrives before
// the next one is sent.
TEST_CASE("a datagram with DONT-FRAGMENT is not lost because of a peer that refuses", "[integration]") {
  Daemon daemon({"workers=1"});
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    CAPTURE(static_cast<int>(family));
    RelayClient client(daemon.listener());
    client::UdpSocket peer(loopback(family));
    const Endpoint closed = closed_port(family);
    client::RequestContents contents;
    contents.requested_family = family;
    REQUIRE(client.allocate(contents) == 0);
    REQUIRE(client.permit(peer.local()) == 0);
    for (int i = 0; i < 5; ++i) {
      stop_for_a_burst(daemon.pid());
      client.send(closed, octets("anybody?"), true);
      client.send(peer.local(), octets("still there"), true);
      REQUIRE(kill(daemon.pid(), SIGCONT) == 0);
      const auto datagram = peer.receive(10s);
      REQUIRE(datagram);
      CHECK((datagram->bytes == octets("still there")));
      const auto arrival = client.receive();
      REQUIRE(arrival);
      CHECK(arrival->icmp);
      CHECK(arrival->peer == closed);
    }
  }
}

TEST_CASE("sends that cannot work stop nothing", "[integration]") {
  Daemon daemon({"peers.allow=[127.0.0.0/8, 10.0.0.0/8]"});
  RelayClient client(daemon.listener());
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.permit(peer.local()) == 0);
  // These are port 0, and an address to which loopback has no route or no permission.
  client.send(*Endpoint::parse("127.0.0.1:0"), octets("x"));
  CHECK(client.bind(0x4000, *Endpoint::parse("127.0.0.1:0")) == 400);
  REQUIRE(client.permit(*Endpoint::parse("127.255.255.255:9")) == 0);
  client.send(*Endpoint::parse("127.255.255.255:9"), octets("x"));
  REQUIRE(client.permit(*Endpoint::parse("10.1.2.3:9")) == 0);
  client.send(*Endpoint::parse("10.1.2.3:9"), octets("x"));
  expect_relaying(client, peer);
}

TEST_CASE("a full port range is a 508, and is over as soon as a port is free", "[integration]") {
  Daemon daemon({relay_on_ports("20000-20003")});
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 4; ++i) {
    REQUIRE(clients.emplace_back(std::make_unique<RelayClient>(daemon.listener()))->allocate() == 0);
  }
  RelayClient late(daemon.listener());
  CHECK(late.allocate() == 508);
  CHECK(late.allocate() == 508);
  REQUIRE(clients[2]->refresh(0s) == 0);
  REQUIRE(late.allocate() == 0);
  CHECK(late.relayed().port == clients[2]->relayed().port);
}

TEST_CASE("when descriptors run out it answers 508 and goes on", "[integration]") {
  Daemon daemon({"workers=1"}, kLoopbackConfig, {.descriptor_limit = 40});
  std::vector<std::unique_ptr<RelayClient>> clients;
  int code = 0;
  while (code == 0 && clients.size() < 60) {
    code = clients.emplace_back(std::make_unique<RelayClient>(daemon.listener()))->allocate();
  }
  CHECK(code == 508);
  clients.pop_back();
  REQUIRE_FALSE(clients.empty());
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(clients.front()->permit(peer.local()) == 0);
  expect_relaying(*clients.front(), peer);
  REQUIRE(clients.back()->refresh(0s) == 0);
  CHECK(RelayClient(daemon.listener()).allocate() == 0);
}

TEST_CASE("a hostile user name reaches the log escaped", "[integration]") {
  const std::string hostile = "%n%s\"quote\\\r\nFAKE line\x1b[31m";
  std::string accents;
  while (accents.size() < 500) accents += "é";
  Daemon daemon;
  for (const std::string& name : {hostile, accents}) {
    RelayClient client(daemon.listener(), {.credentials = client::Credentials{name, "x"}});
    CHECK(client.allocate() == 401);
  }
  // A name is cut after 64 characters.
  std::string cut = "user=\"";
  for (int i = 0; i < 64; ++i) cut += "é";
  REQUIRE(daemon.wait_for_log(cut + "\"..."));
  CHECK(daemon.stop() == 0);
  const std::string log = daemon.log();
  CHECK_THAT(log, Catch::Contains(R"(user="%n%s\u{22}quote\u{5c}\u{d}\u{a}FAKE line\u{1b}[31m")"));
  CHECK_THAT(log, !Catch::Contains("\nFAKE"));
}

TEST_CASE("secrets never reach the log", "[integration]") {
  Daemon daemon({"log.level=debug"});
  RelayClient right(daemon.listener());
  CHECK(right.allocate() == 0);
  RelayClient wrong(daemon.listener(), {.credentials = client::Credentials{"alice", "wrong-password"}});
  CHECK(wrong.allocate() == 401);
  CHECK(daemon.stop() == 0);
  for (const char* secret : {"hunter2", "north-star-secret", "wrong-password", "user=\"secret"}) {
    CHECK_THAT(daemon.log(), !Catch::Contains(secret));
  }
}

TEST_CASE("unauthenticated answers are limited for each source", "[integration]") {
  Daemon daemon({"limits.bindings_per_second=1", "workers=1"});
  RelayClient client(daemon.listener());
  const auto request = client.turn().binding();
  for (int i = 0; i < 100; ++i) client.send_raw(request.bytes);
  client.send_raw(client.turn().allocate().bytes);  // has a limit of its own
  const std::size_t answers = answers_before(client, stun::Method::allocate);
  CHECK(answers >= 2);
  CHECK(answers < 30);  // beyond the limit one in sixteen
}

TEST_CASE("wrong passwords get few answers and few lines of log, right ones are served meanwhile",
          "[integration]") {
  Daemon daemon({"workers=1"});
  const std::string long_name(508, 'x');
  RelayClient guesser(daemon.listener(), {.credentials = client::Credentials{long_name, "guess"}});
  REQUIRE(guesser.allocate() == 401);  // and learns a nonce
  const std::size_t before = daemon.log().size();
  const auto started = std::chrono::steady_clock::now();
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 100; ++i) guesser.send_raw(guesser.turn().allocate().bytes);
    RelayClient right(daemon.listener());
    REQUIRE(right.allocate() == 0);
    REQUIRE(right.refresh(0s) == 0);
  }
  guesser.send_raw(guesser.turn().binding().bytes);
  const std::size_t answers = answers_before(guesser, stun::Method::binding);
  CHECK(answers >= 18);
  // There are ten in a second, and a burst of twice that.
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - started);
  CHECK(answers <= 20 + 10 * static_cast<std::size_t>(seconds.count()));
  CHECK(daemon.stop() == 0);
  const std::string log = daemon.log().substr(before);
  CHECK_THAT(log, Catch::Contains(" not_answered=") && Catch::Contains("(limits.failures_per_second)"));
  CHECK_THAT(log,
             Catch::Contains('"' + std::string(64, 'x') + "\"...") && !Catch::Contains(std::string(65, 'x')));
  CHECK(log.size() < 20'000);
}

TEST_CASE("what an owner reserves counts in its quota on every worker", "[integration]") {
  Daemon daemon({"limits.allocations_per_user=1", relay_on_ports("21000-21199")});
  client::RequestContents contents;
  contents.even_port = true;  // with the next one
  for (int i = 0; i < 20; ++i) {
    RelayClient client(daemon.listener());
    CHECK(client.allocate(contents) == 486);
  }
  RelayClient client(daemon.listener());
  CHECK(client.allocate() == 0);
}

TEST_CASE("no Refresh lets an allocation last beyond its age", "[integration]") {
  Daemon daemon({"limits.allocation_age=60s"});
  RelayClient client(daemon.listener());
  REQUIRE(client.allocate() == 0);
  CHECK(client.lifetime() == 60s);
  REQUIRE(client.refresh(3600s) == 0);
  CHECK(client.lifetime() <= 60s);
}

TEST_CASE("when memory runs out the request that wanted it is refused, and the others are served",
          "[integration]") {
  constexpr std::size_t kLeft = 64 << 20;
  constexpr std::uint32_t kPerRequest = 2500;
  constexpr std::uint32_t kEnough = 4'000'000;  // 40 octets each would be twice what is left
  Daemon daemon({"workers=1", "limits.permissions_per_allocation=0"});
  if (has_sanitizer(daemon.pid())) return;  // it maps terabytes
  RelayClient greedy(daemon.listener());
  RelayClient other(daemon.listener());
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(greedy.allocate() == 0);
  REQUIRE(other.allocate() == 0);
  REQUIRE(other.permit(peer.local()) == 0);
  leave_memory(daemon.pid(), kLeft);

  std::uint32_t permissions = 0;
  int code = 0;
  while (code == 0 && permissions < kEnough) {
    code = permit_many(greedy, permissions, kPerRequest);
    permissions += kPerRequest;
  }
  CHECK(code == 508);
  CHECK(permissions > 100'000);
  for (int i = 0; i < 20; ++i) CHECK(permit_many(greedy, permissions, kPerRequest) == 508);
  CHECK(other.ask(other.turn().binding()) == 0);
  expect_relaying(other, peer);
  const int late = RelayClient(daemon.listener()).allocate();
  CHECK((late == 0 || late == 508));

  // The memory that the greedy client returns is available to the others.
  REQUIRE(greedy.refresh(0s) == 0);
  REQUIRE(greedy.allocate() == 0);
  CHECK(permit_many(greedy, 0, kPerRequest) == 0);
  CHECK(RelayClient(daemon.listener()).allocate() == 0);
  CHECK(daemon.stop() == 0);
  const std::string log = daemon.log();
  CHECK(count(log, "out of memory: new requests are refused") == 1);
  CHECK_THAT(log, Catch::Contains(" out_of_memory=") && !Catch::Contains(" out_of_memory=0 "));
}

// With an arena of its own, a worker's heap could grow by 64 MiB without mapping more.
TEST_CASE("when memory runs out TLS clients are turned away, and the others are served", "[integration]") {
  constexpr std::size_t kLeft = 4 << 20;
  constexpr std::size_t kStrangers = 1500;  // 45 KiB each
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &descriptors) == 0);
  TlsDaemon server({R"(listen=["udp://127.0.0.1:0", "tls://127.0.0.1:0"])", "workers=1",
                    "limits.idle_connections_per_address=0", "limits.connect_timeout=1h"},
                   make_certificate(), {.environment = {{"MALLOC_ARENA_MAX", "1"}}});
  if (has_sanitizer(server.daemon.pid())) return;  // it maps terabytes
  RelayClient other(server.daemon.listener());
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(other.allocate() == 0);
  REQUIRE(other.permit(peer.local()) == 0);
  leave_memory(server.daemon.pid(), kLeft);

  const std::string hello = client_hello();
  const std::string out_of_memory = "out of memory: new requests are refused";
  std::vector<net::Fd> strangers;
  while (strangers.size() < kStrangers) {
    strangers.push_back(connect_to(server.daemon.listener(1)));
    write_all(strangers.back().get(), hello);
    if (strangers.size() % 50 == 0) REQUIRE(other.ask(other.turn().binding()) == 0);
  }
  CHECK(other.refresh(600s) == 0);
  expect_relaying(other, peer);

  // Those who leave make room for the others.
  strangers.clear();
  REQUIRE(other.ask(other.turn().binding()) == 0);
  int tries = 0;
  while (!TlsProbe(server.daemon.listener(1)).is_open() && tries < 100) ++tries;
  CHECK(tries < 100);
  CHECK(server.daemon.stop() == 0);
  CHECK(count(server.daemon.log(), out_of_memory) == 1);
}

// With 1,200 bytes each, they need 2,304 bytes of the kernel's memory. The default buffer of 212,992 has room
// for 92.
TEST_CASE("a burst of 120 datagrams waits for a server that is busy", "[integration]") {
  Daemon daemon({"workers=1"});
  RelayClient client(daemon.listener());
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.bind(0x4000, peer.local()) == 0);
  net::set_buffer_sizes(client.socket().fd(), 1 << 20);
  net::set_buffer_sizes(peer.fd(), 1 << 20);
  stop_for_a_burst(daemon.pid());
  for (int i = 0; i < 120; ++i) peer.send_to(Octets(1200, static_cast<std::uint8_t>(i)), client.relayed());
  REQUIRE(kill(daemon.pid(), SIGCONT) == 0);
  int arrived = 0;
  while (arrived < 120 && client.receive(5s)) ++arrived;
  CHECK(arrived == 120);
}

TEST_CASE("the log names a limit that somebody has met, once", "[integration]") {
  Daemon daemon({"workers=2", "limits.permissions_per_allocation=1"});
  RelayClient client(daemon.listener());
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.permit(peer.local()) == 0);
  for (int i = 0; i < 5; ++i) CHECK(client.permit(*Endpoint::parse("127.0.0.77:1")) == 508);
  CHECK(daemon.stop() == 0);
  const std::string warning = "a client was refused because of limits.permissions_per_allocation, which is 1";
  CHECK(count(daemon.log(), warning) == 1);
}
