// Tests the relayed path through the real daemon: every pair of families, every framing, every size.
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/daemon.hpp"
#include "support/relay_client.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

client::RequestContents asking_for(Family family) {
  client::RequestContents contents;
  contents.requested_family = family;
  return contents;
}

// A peer on a plain socket, and a client that may exchange data with it.
struct Pair {
  RelayClient client;
  client::UdpSocket peer;
  Endpoint relayed;

  Pair(const Endpoint& server, Family relay_family) : client(server), peer(loopback(relay_family)) {
    REQUIRE(client.allocate(asking_for(relay_family)) == 0);
    REQUIRE(client.permit(peer.local()) == 0);
    relayed = client.relayed();
    REQUIRE(relayed.family() == relay_family);
  }

  void expect_at_peer(const Octets& payload) {
    const auto datagram = peer.receive(10s);
    REQUIRE(datagram);
    CHECK(datagram->from == relayed);
    CHECK((datagram->bytes == payload));
  }

  void expect_at_client(const Octets& payload, std::optional<std::uint16_t> channel) {
    const auto arrival = client.receive();
    REQUIRE(arrival);
    CHECK((arrival->payload == payload));
    if (channel) {
      REQUIRE(arrival->channel);
      CHECK(arrival->channel->value() == *channel);
    } else {
      CHECK(arrival->peer == peer.local());
    }
  }
};

}  // namespace

TEST_CASE("data goes both ways between every pair of families, by indication and by channel",
          "[integration]") {
  Daemon daemon;
  for (const std::size_t listener : {0, 1}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      Pair pair(daemon.listener(listener), family);
      for (const std::size_t size : {0, 1, 3, 160, 1100, 1472, 9000, 60000}) {
        INFO("listener " << listener << ", relayed " << pair.relayed.to_string() << ", " << size << " bytes");
        const Octets payload = pattern(size);
        pair.client.send(pair.peer.local(), payload);
        pair.expect_at_peer(payload);
        pair.peer.send_to(payload, pair.relayed);
        pair.expect_at_client(payload, {});
      }
      REQUIRE(pair.client.bind(0x4001, pair.peer.local()) == 0);
      for (const std::size_t size : {0, 1, 3, 160, 1100, 1472, 9000, 60000}) {
        INFO("channel, listener " << listener << ", relayed " << pair.relayed.to_string() << ", " << size
                                  << " bytes");
        const Octets payload = pattern(size);
        pair.client.send_on_channel(0x4001, payload);
        pair.expect_at_peer(payload);
        pair.peer.send_to(payload, pair.relayed);
        pair.expect_at_client(payload, 0x4001);
      }
    }
  }
  CHECK(daemon.stop() == 0);
}

TEST_CASE("a burst arrives whole and in order", "[integration]") {
  Daemon daemon;
  Pair pair(daemon.listener(), Family::ipv4);
  REQUIRE(pair.client.bind(0x4000, pair.peer.local()) == 0);
  for (int i = 0; i < 100; ++i) pair.client.send_on_channel(0x4000, octets(std::to_string(i)));
  for (int i = 0; i < 100; ++i) pair.expect_at_peer(octets(std::to_string(i)));
  for (int i = 0; i < 100; ++i) pair.peer.send_to(octets(std::to_string(i)), pair.relayed);
  for (int i = 0; i < 100; ++i) pair.expect_at_client(octets(std::to_string(i)), 0x4000);
}

TEST_CASE("a relay that keeps sending to one peer still hears the others, and may turn to them",
          "[integration]") {
  Daemon daemon;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    Pair pair(daemon.listener(), family);
    client::UdpSocket other(loopback(family));
    const auto exchange = [&](client::UdpSocket& peer, int datagrams) {
      for (int i = 0; i < datagrams; ++i) {
        const Octets payload = octets("out " + std::to_string(i));
        pair.client.send(peer.local(), payload);
        const auto datagram = peer.receive(10s);
        REQUIRE(datagram);
        CHECK(datagram->from == pair.relayed);
        CHECK((datagram->bytes == payload));
      }
      for (client::UdpSocket* sender : {&pair.peer, &other}) {
        sender->send_to(octets("in"), pair.relayed);
        const auto arrival = pair.client.receive();
        REQUIRE(arrival);
        CHECK(arrival->peer == sender->local());
      }
    };
    exchange(pair.peer, 100);
    exchange(other, 100);
    exchange(pair.peer, 5);
    for (int i = 0; i < 100; ++i) exchange(i % 2 == 0 ? pair.peer : other, 1);
  }
}

TEST_CASE("several clients talk to one peer at the same time", "[integration]") {
  Daemon daemon;
  client::UdpSocket peer(loopback(Family::ipv4));
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 8; ++i) {
    RelayClient& c = *clients.emplace_back(std::make_unique<RelayClient>(daemon.listener()));
    REQUIRE(c.allocate() == 0);
    REQUIRE(c.bind(0x4000, peer.local()) == 0);
    c.send_on_channel(0x4000, octets("from " + std::to_string(i)));
    const auto datagram = peer.receive(10s);
    REQUIRE(datagram);
    CHECK(datagram->from == c.relayed());
    peer.send_to(octets("to " + std::to_string(i)), datagram->from);
  }
  for (int i = 0; i < 8; ++i) {
    const auto arrival = clients[static_cast<std::size_t>(i)]->receive();
    REQUIRE(arrival);
    CHECK(arrival->text() == "to " + std::to_string(i));
  }
}

TEST_CASE("two clients reach each other through their relayed addresses", "[integration]") {
  Daemon daemon;
  RelayClient ann(daemon.listener());
  RelayClient ben(daemon.listener(), {.credentials = client::Credentials{"bob", "hunter2"}});
  REQUIRE(ann.allocate() == 0);
  REQUIRE(ben.allocate() == 0);
  REQUIRE(ann.permit(ben.relayed()) == 0);
  REQUIRE(ben.permit(ann.relayed()) == 0);
  ann.send(ben.relayed(), octets("hello"));
  const auto arrival = ben.receive();
  REQUIRE(arrival);
  CHECK(arrival->text() == "hello");
  CHECK(arrival->peer == ann.relayed());
}

TEST_CASE("a port is free again when its client hears that the allocation is gone, for all workers",
          "[integration]") {
  Daemon daemon({"workers=2", relay_on_ports("20120-20120"), "limits.unauthenticated_per_second=0"});
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(std::make_unique<RelayClient>(daemon.listener()));
  for (int round = 0; round < 100; ++round) {
    for (const auto& client : clients) {
      REQUIRE(client->allocate() == 0);
      REQUIRE(client->refresh(0s) == 0);
    }
  }
}

TEST_CASE("a dual allocation relays in both families", "[integration]") {
  Daemon daemon;
  RelayClient client(daemon.listener());
  client::RequestContents contents;
  contents.additional_family = Family::ipv6;
  REQUIRE(client.allocate(contents) == 0);
  REQUIRE(client.relayed_v6());
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    client::UdpSocket peer(loopback(family));
    REQUIRE(client.permit(peer.local()) == 0);
    client.send(peer.local(), octets("x"));
    const auto datagram = peer.receive(10s);
    REQUIRE(datagram);
    CHECK(datagram->from == (family == Family::ipv4 ? client.relayed() : *client.relayed_v6()));
  }
}

namespace {

// A raw socket that sees the IP headers of the datagrams from one port of this machine to another one.
class Headers {
 public:
  Headers(std::uint16_t from, std::uint16_t to)
      : raw_(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP)), ports_(std::uint32_t{from} << 16 | to) {
    if (!raw_) return;
    const timeval patience{10, 0};
    setsockopt(raw_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    // The socket would see all UDP of this machine, which may be more than its buffer holds.
    std::array<sock_filter, 4> ours{{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 20),
                                     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ports_, 0, 1),
                                     BPF_STMT(BPF_RET | BPF_K, 0xFFFF), BPF_STMT(BPF_RET | BPF_K, 0)}};
    const sock_fprog program{static_cast<unsigned short>(ours.size()), ours.data()};
    REQUIRE(setsockopt(raw_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
  }

  // Only root may open such a socket.
  bool can_be_seen() const { return static_cast<bool>(raw_); }
  std::optional<bool> df_of_next() {
    std::array<std::uint8_t, 2048> packet;
    for (;;) {
      const ssize_t got = recv(raw_.get(), packet.data(), packet.size(), 0);
      if (got < 28) return std::nullopt;
      if (load_u32(&packet[20]) == ports_) return (packet[6] & 0x40) != 0;  // some came before the filter
    }
  }

 private:
  net::Fd raw_;
  std::uint32_t ports_;
};

}  // namespace

TEST_CASE("DONT-FRAGMENT sets DF on that datagram alone", "[integration]") {
  Daemon daemon;
  Pair pair(daemon.listener(), Family::ipv4);
  Headers headers(pair.relayed.port, pair.peer.local().port);
  if (!headers.can_be_seen()) {
    WARN("not root: the IP header cannot be looked at");
    return;
  }
  for (const bool dont_fragment : {false, true, false}) {
    pair.client.send(pair.peer.local(), octets("payload"), dont_fragment);
    pair.expect_at_peer(octets("payload"));
    CHECK(headers.df_of_next() == dont_fragment);
  }
}

TEST_CASE("what goes to a client may be fragmented on its way", "[integration]") {
  const std::string at = GENERATE("udp://127.0.0.1:0", "udp://0.0.0.0:0");
  Daemon daemon({"listen=[\"" + at + "\"]"});
  const Endpoint server{loopback(Family::ipv4).address, daemon.listener().port};
  Pair pair(server, Family::ipv4);
  Headers headers(server.port, pair.client.local().port);
  if (!headers.can_be_seen()) {
    WARN("not root: the IP header cannot be looked at");
    return;
  }
  for (const std::size_t size : {10, 1200}) {
    pair.peer.send_to(Octets(size, 'x'), pair.relayed);
    pair.expect_at_client(Octets(size, 'x'), {});
    CHECK(headers.df_of_next() == false);
  }
}

// There are six clients on two workers. Each sends to each, also to itself.
TEST_CASE("clients reach one another by their relayed addresses, whichever workers they are on",
          "[integration]") {
  Daemon daemon;
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<RelayClient>(daemon.listener(static_cast<std::size_t>(i % 2))));
    REQUIRE(clients.back()->allocate() == 0);
  }
  for (const auto& to : clients) {
    for (const auto& from : clients) REQUIRE(from->permit(to->relayed()) == 0);
  }
  constexpr int kBurst = 20;
  for (const std::size_t size : {0, 1100, 60000, 65000}) {
    for (const auto& to : clients) {
      for (const auto& from : clients) {
        INFO(from->relayed().to_string() << " to " << to->relayed().to_string() << ", " << size << " bytes");
        const int count = size > 2000 ? 1 : kBurst;
        for (int i = 0; i < count; ++i) {
          Octets payload = pattern(size);
          if (size != 0) payload[0] = static_cast<std::uint8_t>(i);
          from->send(to->relayed(), payload);
        }
        for (int i = 0; i < count; ++i) {  // in order
          const auto arrival = to->receive();
          REQUIRE(arrival);
          CHECK(arrival->peer == from->relayed());
          CHECK(arrival->payload.size() == size);
          if (size != 0) CHECK(arrival->payload[0] == i);
        }
      }
    }
  }
  CHECK(daemon.stop() == 0);
  const std::string sent = std::to_string(36 * (2 * kBurst + 2));
  CHECK_THAT(daemon.log(), Catch::Contains("to_peer=" + sent) && Catch::Contains("to_client=" + sent));
  CHECK_THAT(daemon.log(), Catch::Contains("mail_dropped=0"));
  CHECK_THAT(daemon.log(), !Catch::Contains("relay_to_relay=0"));
}
