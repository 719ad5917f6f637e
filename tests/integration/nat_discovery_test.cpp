// Tests NAT behaviour discovery (RFC 5780) on the wire: which socket an answer really leaves from. Every
// machine has the two addresses 127.0.0.1 and 127.0.0.2.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

#include "net/system_random.hpp"
#include "support/daemon.hpp"
#include "support/relay_client.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;
using stun::AttributeType;

namespace {

constexpr const char* kNamed = R"(
realm: example.org
workers: 3
listen: ["udp://127.0.0.1:0"]
nat_discovery: {alternate: "127.0.0.2:0"}
auth: {users: {alice: secret}}
peers: {allow: [127.0.0.0/8]}
limits: {unauthenticated_per_second: 0}
)";

struct Answer {
  Endpoint from;
  Endpoint origin;
  Endpoint other;
  std::uint16_t to_port = 0;
};

// Returns an address without XOR, or 0.0.0.0:0 when there is none.
Endpoint address_in(const stun::MessageView& message, AttributeType type) {
  const auto value = message.find(type);
  return value ? stun::decode_address(*value).value_or(Endpoint()) : Endpoint();
}

class Prober {
 public:
  explicit Prober(const std::string& local = "127.0.0.1") : socket_(at(local, 0)), other_(at(local, 0)) {}

  // Asks once, since nothing gets lost on loopback.
  std::optional<Answer> ask(const Endpoint& server, std::uint32_t change, bool at_other_port = false) {
    client::RequestContents contents;
    const auto flags = static_cast<std::uint8_t>(change);
    contents.others.emplace_back(AttributeType::change_request, std::vector<std::uint8_t>{0, 0, 0, flags});
    if (at_other_port) {
      std::vector<std::uint8_t> port(4);
      store_u16(port.data(), other_.local().port);
      contents.others.emplace_back(AttributeType::response_port, port);
    }
    return ask(server, turn_.request(std::move(contents)), at_other_port ? other_ : socket_);
  }
  std::optional<Answer> ask_plainly(const Endpoint& server) { return ask(server, turn_.binding(), socket_); }

 private:
  std::optional<Answer> ask(const Endpoint& server, const client::Request& request,
                            client::UdpSocket& listening) {
    socket_.send_to(request.bytes, server);
    const auto datagram = listening.receive(10s);
    if (!datagram) return std::nullopt;
    const client::Event event = turn_.receive(datagram->bytes);
    const auto* success = std::get_if<client::Success>(&event);
    if (!success) return std::nullopt;
    CHECK(success->mapped == socket_.local());
    return Answer{datagram->from, address_in(success->message, AttributeType::response_origin),
                  address_in(success->message, AttributeType::other_address), listening.local().port};
  }

  crypto::Digester digester_;
  net::SystemRandom random_;
  client::TurnClient turn_{digester_, random_};
  client::UdpSocket socket_;
  client::UdpSocket other_;
};

// The four addresses, as answers of the first one show them.
struct DiscoveryEndpoints {
  Endpoint a1p1, a1p2, a2p1, a2p2;
};

DiscoveryEndpoints discovery_endpoints(const Endpoint& primary) {
  const auto answer = Prober().ask_plainly(primary);
  REQUIRE(answer);
  CHECK(answer->from == primary);
  CHECK(answer->origin == primary);
  const Endpoint other = answer->other;
  CHECK(other.address == *IpAddress::parse("127.0.0.2"));
  CHECK(other.port != primary.port);
  return {primary, {primary.address, other.port}, {other.address, primary.port}, other};
}

// There are sixteen answers: each of the four sockets is asked for an answer of each of the four.
void expect_table_1(const DiscoveryEndpoints& four, Prober& prober) {
  for (const Endpoint& asked : {four.a1p1, four.a1p2, four.a2p1, four.a2p2}) {
    const IpAddress other_address =
        asked.address == four.a1p1.address ? four.a2p2.address : four.a1p1.address;
    const std::uint16_t other_port = asked.port == four.a1p1.port ? four.a2p2.port : four.a1p1.port;
    for (const std::uint32_t change :
         {0u, stun::kChangeIp, stun::kChangePort, stun::kChangeIp | stun::kChangePort}) {
      CAPTURE(asked.to_string(), change);
      const auto answer = prober.ask(asked, change);
      REQUIRE(answer);
      CHECK(answer->from.address == ((change & stun::kChangeIp) != 0 ? other_address : asked.address));
      CHECK(answer->from.port == ((change & stun::kChangePort) != 0 ? other_port : asked.port));
      CHECK(answer->origin == answer->from);
      CHECK(answer->other == Endpoint{other_address, other_port});
    }
  }
}

}  // namespace

TEST_CASE("a CHANGE-REQUEST is answered from the address and the port that it asks for",
          "[integration][nat]") {
  Daemon daemon({}, kNamed);
  const DiscoveryEndpoints four = discovery_endpoints(daemon.listener());
  for (int i = 0; i < 8; ++i) {  // one socket each, so that every worker has a turn
    Prober prober;
    expect_table_1(four, prober);
  }
}

TEST_CASE("a CHANGE-REQUEST is answered behind a wildcard too", "[integration][nat]") {
  Daemon daemon({R"(listen=["udp://0.0.0.0:0", "udp://[::]:0"])"}, kNamed);
  const DiscoveryEndpoints four = discovery_endpoints(at("127.0.0.1", daemon.listener().port));
  Prober prober;
  expect_table_1(four, prober);
  // Any address of the machine is the first one for clients that use it.
  const auto answer = prober.ask(at("127.0.0.7", four.a1p1.port), stun::kChangePort);
  REQUIRE(answer);
  CHECK(answer->from == at("127.0.0.7", four.a1p2.port));
  CHECK(answer->other == four.a2p2);
}

TEST_CASE("RESPONSE-PORT is answered at this port, from any address", "[integration][nat]") {
  Daemon daemon({}, kNamed);
  const DiscoveryEndpoints four = discovery_endpoints(daemon.listener());
  Prober prober;
  const auto same = prober.ask(four.a1p1, 0, true);
  REQUIRE(same);
  CHECK(same->from == four.a1p1);
  const auto other = prober.ask(four.a1p1, stun::kChangeIp | stun::kChangePort, true);
  REQUIRE(other);
  CHECK(other->from == four.a2p2);
}

TEST_CASE("what NAT discovery opens is no peer and serves no TURN", "[integration][nat]") {
  Daemon daemon({}, kNamed);
  const DiscoveryEndpoints four = discovery_endpoints(daemon.listener());
  RelayClient alice(four.a1p1);
  REQUIRE(alice.allocate() == 0);
  for (const Endpoint& opened : {four.a1p2, four.a2p1, four.a2p2}) {
    CHECK(alice.bind(0x4000, opened) == 403);
    CHECK(RelayClient(opened).allocate() == 403);
  }
}

TEST_CASE("an alternate address that is not here is said so", "[integration][nat]") {
  CHECK_THROWS_WITH(Daemon({"nat_discovery.alternate=198.51.100.8:3479"}, kNamed),
                    Catch::Contains("nat_discovery.alternate: cannot listen on udp://198.51.100.8") &&
                        Catch::Contains("not an address of this machine"));
}

// The daemon needs the port at both addresses. At the first one, another program may have it at this moment.
TEST_CASE("an alternate port that somebody has is said so", "[integration][nat]") {
  client::UdpSocket taken(at("127.0.0.2", 0));
  const std::string port = std::to_string(taken.local().port);
  CHECK_THROWS_WITH(Daemon({"nat_discovery.alternate=" + taken.local().to_string()}, kNamed),
                    Catch::Contains("nat_discovery.alternate: cannot listen on udp://127.0.0.") &&
                        Catch::Contains(":" + port + ": Address already in use"));
}

TEST_CASE("coturn's clients find RFC 5780 here", "[integration][nat][coturn]") {
  if (!has_tool("turnutils_natdiscovery", "coturn")) return;
  Daemon daemon({}, kNamed);
  const DiscoveryEndpoints four = discovery_endpoints(daemon.listener());
  const std::string port = std::to_string(four.a1p1.port);

  SECTION("turnutils_natdiscovery: mapping and filtering") {
    Child child({"turnutils_natdiscovery", "-m", "-f", "-L", "127.0.0.1", "-p", port, "127.0.0.1"});
    const int exit_code = child.wait();
    INFO(child.output());
    CHECK(exit_code == 0);
    CHECK_THAT(child.output(), Catch::Contains("RFC 5780 response 2"));
    CHECK_THAT(child.output(), Catch::Contains("No ALG: Mapped == XOR-Mapped"));
    CHECK_THAT(child.output(), Catch::Contains("Other addr: : " + four.a2p2.to_string()));
    CHECK_THAT(child.output(), Catch::Contains("Response origin: : " + four.a2p2.to_string()));
    CHECK_THAT(child.output(), Catch::Contains("NAT with Endpoint Independent Mapping!") ||
                                   Catch::Contains("No NAT! (Endpoint Independent Mapping)"));
    CHECK_THAT(child.output(), Catch::Contains("NAT with Endpoint Independent Filtering!"));
  }
  SECTION("turnutils_natdiscovery: with PADDING") {
    Child child({"turnutils_natdiscovery", "-m", "-f", "-P", "-L", "127.0.0.1", "-p", port, "127.0.0.1"});
    const int exit_code = child.wait();
    INFO(child.output());
    CHECK(exit_code == 0);
    CHECK_THAT(child.output(), Catch::Contains("NAT with Endpoint Independent Filtering!"));
  }
  SECTION("turnutils_natdiscovery: the lifetime of a mapping, by RESPONSE-PORT") {
    Child child({"turnutils_natdiscovery", "-t", "-T", "1", "-L", "127.0.0.1", "-p", port, "127.0.0.1"});
    const int exit_code = child.wait();
    INFO(child.output());
    CHECK(exit_code == 0);
    CHECK_THAT(child.output(), Catch::Contains("RFC 5780 response 2"));
  }
  SECTION("turnutils_stunclient") {
    Child child({"turnutils_stunclient", "-f", "-L", "127.0.0.1", "-p", port, "127.0.0.1"});
    const int exit_code = child.wait();
    INFO(child.output());
    CHECK(exit_code == 0);
    CHECK_THAT(child.output(), Catch::Contains("RFC 5780 response 1"));
    CHECK_THAT(child.output(), Catch::Contains("Other addr: : " + four.a2p2.to_string()));
    CHECK_THAT(child.output(), !Catch::Contains("error"));
  }
}
