// Tests allocations that move with their client (RFC 8016) on real sockets: the new address hashes to any
// worker, and the allocation is found and continues.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "support/relay_client.hpp"
#include "support/relaying.hpp"
#include "support/tls_daemon.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

struct MobilityServer : TlsDaemon {
  MobilityServer()
      : TlsDaemon(
            {R"(listen=["udp://127.0.0.1:0", "tcp://127.0.0.1:0", "tls://127.0.0.1:0", "dtls://127.0.0.1:0"])",
             "workers=4", "relay.mobility=true", "limits.idle_timeout=1s"}) {}

  std::unique_ptr<RelayClient> client(Transport transport) const {
    constexpr std::array kOrder{Transport::udp, Transport::tcp, Transport::tls, Transport::dtls};
    const auto listener = static_cast<std::size_t>(std::ranges::find(kOrder, transport) - kOrder.begin());
    return std::make_unique<RelayClient>(daemon.listener(listener), transport);
  }
};

void allocate_mobile(RelayClient& client) {
  REQUIRE(client.allocate({.others = {{stun::AttributeType::mobility_ticket, {}}}}) == 0);
  REQUIRE(client.ticket().size() == 24);
}

void expect_path(client::UdpSocket& peer, const Endpoint& relayed, RelayClient& client,
                 const std::string& text) {
  peer.send_to(octets(text), relayed);
  const auto arrival = client.receive(10s);
  REQUIRE(arrival);
  CHECK(arrival->text() == text);
}

}  // namespace

// There are forty moves, each to a random one of four workers.
TEST_CASE("an allocation follows its client over addresses, transports and workers",
          "[integration][mobility]") {
  MobilityServer server;
  client::UdpSocket peer(loopback(Family::ipv4));
  auto here = server.client(Transport::udp);
  allocate_mobile(*here);
  REQUIRE(here->bind(0x4000, peer.local()) == 0);
  const Endpoint relayed = here->relayed();
  std::string ticket = here->ticket();
  for (int i = 0; i < 40; ++i) {
    CAPTURE(i);
    constexpr std::array kTurns{Transport::udp, Transport::udp, Transport::dtls, Transport::tcp,
                                Transport::tls};
    const Transport transport = kTurns[static_cast<std::size_t>(i) % kTurns.size()];
    auto there = server.client(transport);
    REQUIRE(there->move_here(ticket) == 0);
    CHECK(there->ticket() != ticket);
    ticket = there->ticket();
    expect_path(peer, relayed, *here, "by the former path");

    there->send_on_channel(0x4000, octets("I am here"));
    const auto datagram = peer.receive(10s);
    REQUIRE(datagram);
    CHECK((datagram->bytes == octets("I am here")));
    CHECK(datagram->from == relayed);
    expect_path(peer, relayed, *there, "by the new one");
    CHECK(there->bind(0x4000, peer.local()) == 0);  // requests find their way too
    CHECK(here->refresh(600s) == 437);
    here = std::move(there);
  }
  CHECK(here->refresh(0s) == 0);
  CHECK(server.client(Transport::udp)->move_here(ticket) == 400);
}

TEST_CASE("an allocation outlives its connection, and the new one outlives the deadline of the idle",
          "[integration][mobility]") {
  MobilityServer server;
  client::UdpSocket peer(loopback(Family::ipv4));
  auto here = server.client(Transport::tls);
  allocate_mobile(*here);
  REQUIRE(here->bind(0x4000, peer.local()) == 0);
  const Endpoint relayed = here->relayed();
  std::string ticket = here->ticket();
  for (int i = 0; i < 6; ++i) {
    here->disconnect();
    auto there = server.client(i % 2 == 0 ? Transport::tcp : Transport::tls);
    REQUIRE(there->move_here(ticket) == 0);
    ticket = there->ticket();
    there->send_on_channel(0x4000, octets("I am here"));
    REQUIRE(peer.receive(10s));
    // One without an allocation that came later may not stay, and not even a second one after it.
    for (int idle = 0; i < 3 && idle < 2; ++idle) {
      auto other = server.client(Transport::tcp);
      CHECK(is_answered(other->stream()));
      CHECK(is_closed(other->stream()));
    }
    CHECK_FALSE(there->receive_raw(0ms));
    CHECK_FALSE(there->stream().closed());
    expect_path(peer, relayed, *there, "still there?");
    here = std::move(there);
  }
}

TEST_CASE("a client whose move was refused is a client like any other", "[integration][mobility]") {
  MobilityServer server;
  auto owner = server.client(Transport::udp);
  allocate_mobile(*owner);
  for (int i = 0; i < 12; ++i) {  // most of them at another worker than the owner
    RelayClient bob(server.daemon.listener(1), {.credentials = client::Credentials{"bob", "hunter2"}}, {},
                    Transport::tcp);
    CHECK(bob.move_here(owner->ticket()) == 441);
    CHECK(bob.allocate() == 0);
    CHECK(bob.refresh(0s) == 0);
  }
}
