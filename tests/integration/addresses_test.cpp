// Tests on real interfaces which address answers, which address relays, and which peers can be reached.
#include <catch2/catch.hpp>
#include <deque>

#include "net/interfaces.hpp"
#include "support/daemon.hpp"
#include "support/quiet_port.hpp"
#include "support/relay_client.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kWildcardConfig = R"(
realm: example.org
workers: 2
listen: ["udp://0.0.0.0:0", "udp://[::]:0"]
auth: {users: {alice: secret}}
limits: {unauthenticated_per_second: 0}
)";

// Returns an address of this machine with this family that is not loopback.
std::optional<IpAddress> outward_address(Family family) {
  for (const IpAddress& address : net::interface_addresses()) {
    if (address.family() == family && !address.is_loopback() && !address.is_link_local()) return address;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("a wildcard listener answers from the address that was asked", "[integration]") {
  Daemon daemon({}, kWildcardConfig);
  const std::uint16_t port = daemon.listener(0).port;
  for (const char* address : {"127.0.0.1", "127.0.0.2", "127.3.4.5"}) {
    client::UdpSocket socket(at("127.0.0.1", 0));
    crypto::Digester digester;
    net::SystemRandom random;
    client::TurnClient turn(digester, random);
    const auto request = turn.binding();
    socket.send_to(request.bytes, at(address, port));
    const auto answer = socket.receive(10s);
    REQUIRE(answer);
    CHECK(answer->from == at(address, port));
  }
  RelayClient v6(at("::1", daemon.listener(1).port));
  CHECK(v6.ask(v6.turn().binding()) == 0);
  CHECK(v6.mapped() == v6.local());
}

TEST_CASE("the address that a client came to is part of its 5-tuple", "[integration]") {
  Daemon daemon({"peers.allow=[127.0.0.0/8]"}, kWildcardConfig);
  const std::uint16_t port = daemon.listener(0).port;
  const Endpoint local = quiet_endpoint(loopback(Family::ipv4).address);
  std::optional<RelayClient> first(std::in_place, at("127.0.0.1", port),
                                   client::Params{.credentials = client::Credentials{"alice", "secret"}},
                                   local);
  REQUIRE(first->allocate() == 0);
  first.reset();  // frees the client's port, not the allocation
  RelayClient second(at("127.0.0.2", port), {.credentials = client::Credentials{"alice", "secret"}}, local);
  CHECK(second.permit(at("127.0.0.1", 9)) == 437);
}

TEST_CASE("by default a client is relayed from the address it came to", "[integration]") {
  Daemon daemon({}, kWildcardConfig);
  RelayClient client(at("127.0.0.1", daemon.listener(0).port));
  REQUIRE(client.allocate() == 0);
  CHECK(client.relayed().address == *IpAddress::parse("127.0.0.1"));
  if (const auto outward = outward_address(Family::ipv4)) {
    RelayClient other({*outward, daemon.listener(0).port},
                      {.credentials = client::Credentials{"alice", "secret"}}, Endpoint{*outward, 0});
    REQUIRE(other.allocate() == 0);
    CHECK(other.relayed().address == *outward);
  } else {
    WARN("no address but loopback here");
  }
}

TEST_CASE("the secure default refuses loopback, private and other special addresses", "[integration]") {
  Daemon daemon({}, kWildcardConfig);
  RelayClient client(at("127.0.0.1", daemon.listener(0).port));
  client::RequestContents contents;
  contents.requested_family = Family::ipv4;
  REQUIRE(client.allocate(contents) == 0);
  for (const char* refused : {"127.0.0.1", "0.0.0.0", "10.1.2.3", "169.254.169.254", "172.16.0.1",
                              "192.168.1.1", "100.64.0.1", "224.0.0.1", "255.255.255.255", "168.63.129.16"}) {
    INFO(refused);
    CHECK(client.permit(at(refused, 80)) == 403);
    CHECK(client.bind(0x4000, at(refused, 80)) == 403);
  }
  CHECK(client.permit(at("8.8.8.8", 53)) == 0);
}

TEST_CASE("our own listeners are out of reach whatever is allowed", "[integration]") {
  Daemon daemon({"peers.allow=[127.0.0.0/8]"}, kWildcardConfig);
  const Endpoint listener = at("127.0.0.1", daemon.listener(0).port);
  RelayClient client(listener);
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.permit(listener) == 0);  // a permission has no port
  CHECK(client.bind(0x4000, listener) == 403);
  const auto request = client.turn().binding();
  client.send(listener, request.bytes);
  CHECK_FALSE(client.receive(100ms));
}

TEST_CASE("an own address is reachable on relayed ports alone", "[integration]") {
  const auto own = outward_address(Family::ipv4);
  if (!own) {
    WARN("no address but loopback here");
    return;
  }
  Daemon daemon({}, kWildcardConfig);
  const Endpoint server{*own, daemon.listener(0).port};
  const client::Params alice{.credentials = client::Credentials{"alice", "secret"}};
  RelayClient ann(server, alice, Endpoint{*own, 0});
  RelayClient ben(server, alice, Endpoint{*own, 0});
  REQUIRE(ann.allocate() == 0);
  REQUIRE(ben.allocate() == 0);
  client::UdpSocket service(Endpoint{*own, 0});
  REQUIRE(ann.permit(ben.relayed()) == 0);
  REQUIRE(ben.permit(ann.relayed()) == 0);
  ann.send(service.local(), octets("not for you"));
  ann.send(ben.relayed(), octets("for you"));
  const auto arrival = ben.receive();
  REQUIRE(arrival);
  CHECK(arrival->text() == "for you");
  CHECK_FALSE(service.receive(50ms));
  // When an exact rule names the address, its other ports are open too.
  Daemon open({"peers.allow=[" + own->to_string() + "/32]"}, kWildcardConfig);
  RelayClient eve({*own, open.listener(0).port}, alice, Endpoint{*own, 0});
  REQUIRE(eve.allocate() == 0);
  REQUIRE(eve.permit(service.local()) == 0);
  eve.send(service.local(), octets("welcome"));
  CHECK(service.receive(10s));
}

TEST_CASE("1:1 NAT: clients are told the advertised address, and may use it among themselves",
          "[integration]") {
  Daemon daemon({"relay.addresses=[127.0.0.1]", "relay.advertise={127.0.0.1: 198.18.7.7}"});
  RelayClient ann(daemon.listener());
  RelayClient ben(daemon.listener());
  REQUIRE(ann.allocate() == 0);
  REQUIRE(ben.allocate() == 0);
  CHECK(ann.relayed().address == *IpAddress::parse("198.18.7.7"));
  REQUIRE(ann.permit(ben.relayed()) == 0);
  REQUIRE(ben.permit(ann.relayed()) == 0);
  ann.send(ben.relayed(), octets("hairpin"));
  const auto arrival = ben.receive();
  REQUIRE(arrival);
  CHECK(arrival->text() == "hairpin");
  CHECK(arrival->peer == ann.relayed());
}

TEST_CASE("a reservation is claimed on whichever worker is asked", "[integration]") {
  Daemon daemon;
  client::RequestContents pair;
  pair.even_port = true;
  // All of them are kept: the next client might otherwise get the port of one that the server still knows.
  std::deque<RelayClient> clients;
  for (int i = 0; i < 12; ++i) {  // with two workers, some of these cross
    RelayClient& rtp = clients.emplace_back(daemon.listener());
    RelayClient& rtcp = clients.emplace_back(daemon.listener());
    REQUIRE(rtp.allocate(pair) == 0);
    REQUIRE(rtp.relayed().port % 2 == 0);
    REQUIRE(rtp.reservation());
    client::RequestContents claim;
    claim.reservation_token = rtp.reservation();
    REQUIRE(rtcp.allocate(claim) == 0);
    CHECK(rtcp.relayed().port == rtp.relayed().port + 1);
    CHECK(clients.emplace_back(daemon.listener()).allocate(claim) == 508);
  }
}

TEST_CASE("quotas count over all workers", "[integration]") {
  Daemon daemon({"limits.allocations_per_user=5"});
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 5; ++i) {
    REQUIRE(clients.emplace_back(std::make_unique<RelayClient>(daemon.listener()))->allocate() == 0);
  }
  RelayClient sixth(daemon.listener());
  CHECK(sixth.allocate() == 486);
  RelayClient bob(daemon.listener(), {.credentials = client::Credentials{"bob", "hunter2"}});
  CHECK(bob.allocate() == 0);
  REQUIRE(clients[0]->refresh(0s) == 0);
  CHECK(sixth.allocate() == 0);
}
