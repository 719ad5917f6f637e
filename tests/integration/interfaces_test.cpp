// Tests a machine whose addresses change, most of them with a daemon that runs. These tests are hidden from a
// run of all tests, since they need tests/integration/own_network, which makes a network that they may
// change.
#include "net/interfaces.hpp"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "net/fd.hpp"
#include "net/socket_address.hpp"
#include "support/daemon.hpp"
#include "support/relay_client.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kWanConfig = R"(
realm: example.org
workers: 2
listen: ["udp://0.0.0.0:0"]
auth: {users: {alice: secret}}
limits: {unauthenticated_per_second: 0}
)";

// The only network card of this machine. As far as this network shows, its addresses are public.
class Wan {
 public:
  Wan() {
    const char* where = std::getenv("OWN_NETWORK");
    if (!where) throw std::runtime_error("use tests/integration/own_network, which protects the host");
    ip("link add wan type veth peer name lan");
    ip("link set wan up");
    ip("link set lan up");
  }
  ~Wan() { Child({"ip", "link", "del", "wan"}).wait(); }
  Wan(const Wan&) = delete;
  Wan& operator=(const Wan&) = delete;

  void add(const std::string& address) { ip("address add " + address + " dev wan"); }
  void remove(const std::string& address) { ip("address del " + address + " dev wan"); }
  void ip(const std::string& command) {
    std::istringstream words("ip " + command);
    Child child(std::vector<std::string>(std::istream_iterator<std::string>(words), {}));
    if (child.wait() != 0) throw std::runtime_error("ip " + command + ": " + child.output());
  }
};

// Makes the change, and returns when the daemon has noticed it.
template <class Change>
void change(Daemon& daemon, const std::string& noticed, Change&& make) {
  const std::size_t before = daemon.log().size();
  make();
  INFO(daemon.log());
  REQUIRE(daemon.wait_for_log(noticed, before));
}

RelayClient come_to(const std::string& server, const Daemon& daemon, const std::string& from = "44.0.0.1") {
  return RelayClient(at(server, daemon.listener().port),
                     {.credentials = client::Credentials{"alice", "secret"}}, at(from, 0));
}

void expect_relayed(RelayClient& from, RelayClient& to, const std::string& text) {
  REQUIRE(from.permit(to.relayed()) == 0);
  REQUIRE(to.permit(from.relayed()) == 0);
  from.send(to.relayed(), octets(text));
  const auto arrival = to.receive();
  REQUIRE(arrival);
  CHECK(arrival->text() == text);
}

}  // namespace

TEST_CASE("clients are relayed from the addresses that the machine has by then", "[.][own_network]") {
  Wan wan;
  wan.add("44.0.0.1/32");
  wan.ip("route add default dev wan");
  Daemon daemon({}, kWanConfig);
  RelayClient ann = come_to("44.0.0.1", daemon);
  REQUIRE(ann.allocate() == 0);

  change(daemon, "44.0.0.2 is new", [&] { wan.add("44.0.0.2/32"); });
  RelayClient ben = come_to("44.0.0.2", daemon);
  REQUIRE(ben.allocate() == 0);
  CHECK(ben.relayed().address == *IpAddress::parse("44.0.0.2"));
  expect_relayed(ann, ben, "to the new one");

  change(daemon, "44.0.0.2 is gone", [&] { wan.remove("44.0.0.2/32"); });
  RelayClient cid = come_to("44.0.0.1", daemon);
  REQUIRE(cid.allocate() == 0);
  CHECK(cid.relayed().address == *IpAddress::parse("44.0.0.1"));
  expect_relayed(cid, ann, "as before");

  change(daemon, "44.0.0.2 is new", [&] { wan.add("44.0.0.2/32"); });
  REQUIRE(ben.refresh(600s) == 0);
  expect_relayed(ann, ben, "to the one that came back");
  REQUIRE(ben.refresh(0s) == 0);
  CHECK(daemon.stop() == 0);
}

TEST_CASE("an address that goes and comes back does not leave its allocation's port behind",
          "[.][own_network]") {
  Wan wan;
  wan.add("44.0.0.1/32");
  wan.add("44.0.0.2/32");
  Daemon daemon({"relay.ports=50000-50001"}, kWanConfig);
  RelayClient ann = come_to("44.0.0.2", daemon);
  RelayClient ben = come_to("44.0.0.2", daemon);
  RelayClient cid = come_to("44.0.0.2", daemon);
  REQUIRE(ann.allocate() == 0);
  REQUIRE(ben.allocate() == 0);
  REQUIRE(cid.allocate() == 508);
  change(daemon, "44.0.0.2 is gone", [&] { wan.remove("44.0.0.2/32"); });
  change(daemon, "44.0.0.2 is new", [&] { wan.add("44.0.0.2/32"); });
  REQUIRE(cid.allocate() == 508);
  REQUIRE(ann.refresh(0s) == 0);
  REQUIRE(cid.allocate() == 0);
  CHECK(cid.relayed() == ann.relayed());
}

// The kernel gives such an address while the machine has no other one, as during its start.
TEST_CASE("a link-local address of IPv6 is no source of the default route", "[.][own_network]") {
  Wan wan;
  wan.add("fe80::77/64 nodad");
  wan.ip("-6 route add default dev wan");
  CHECK_FALSE(net::default_route_source(Family::ipv6));
  wan.add("2a00:77::1/128 nodad");
  CHECK(net::default_route_source(Family::ipv6) == IpAddress::parse("2a00:77::1"));
}

TEST_CASE("the default route's source is the address of clients that came by the other family",
          "[.][own_network]") {
  Wan wan;
  wan.add("44.0.0.1/32");
  Daemon daemon({}, kWanConfig);
  RelayClient client = come_to("44.0.0.1", daemon);
  client::RequestContents contents;
  contents.requested_family = Family::ipv6;
  CHECK(client.allocate(contents) == 440);
  change(daemon, "the default route of IPv6 is from 2a00:77::1", [&] {
    wan.add("2a00:77::1/128 nodad");
    wan.ip("-6 route add default dev wan");
  });
  REQUIRE(client.allocate(contents) == 0);
  CHECK(client.relayed().address == *IpAddress::parse("2a00:77::1"));
}

TEST_CASE("a permission from before is no way to the services of an address that comes", "[.][own_network]") {
  Wan wan;
  wan.add("44.0.0.1/32");
  wan.ip("route add default dev wan");
  Daemon daemon({}, kWanConfig);
  RelayClient ann = come_to("44.0.0.1", daemon);
  RelayClient ben = come_to("44.0.0.1", daemon);
  REQUIRE(ann.allocate() == 0);
  REQUIRE(ben.allocate() == 0);
  const Endpoint service = at("44.0.0.2", 7000);
  const Endpoint listener = at("44.0.0.2", daemon.listener().port);
  REQUIRE(ann.bind(0x4000, service) == 0);
  REQUIRE(ann.bind(0x4001, listener) == 0);
  change(daemon, "44.0.0.2 is new", [&] { wan.add("44.0.0.2/32"); });
  client::UdpSocket socket(service);
  ann.send_on_channel(0x4000, octets("not for you"));
  ann.send(service, octets("not for you"));
  ann.send_on_channel(0x4001, ann.turn().binding().bytes);
  expect_relayed(ann, ben, "for you");
  CHECK_FALSE(socket.receive(50ms));
  CHECK_FALSE(ann.receive(50ms));
  CHECK(ann.bind(0x4001, listener) == 403);
}

TEST_CASE("a private relay address is worth one warning", "[.][own_network]") {
  Wan wan;
  wan.add("44.0.0.1/32");
  wan.ip("route add default dev wan");
  Daemon daemon({}, kWanConfig);
  const std::string warning = "relayed addresses on 10.9.8.7 are not reachable from the Internet";
  CHECK(count(daemon.log(), warning) == 0);
  change(daemon, "the default route of IPv4 is from 10.9.8.7", [&] {
    wan.ip("route replace default dev wan src 44.0.0.1"), wan.add("10.9.8.7/32"),
        wan.ip("route replace default dev wan src 10.9.8.7");
  });
  CHECK(count(daemon.log(), warning) == 1);
  change(daemon, "10.9.8.7 is gone", [&] { wan.remove("10.9.8.7/32"); });
  change(daemon, "the default route of IPv4 is from 10.9.8.7", [&] {
    wan.add("10.9.8.7/32");
    wan.ip("route replace default dev wan src 10.9.8.7");
  });
  CHECK(count(daemon.log(), warning) == 1);
}

TEST_CASE("the IPv6 networks of this machine's interfaces are closed, as they come and go",
          "[.][own_network]") {
  Wan wan;
  wan.add("44.0.0.1/32");
  wan.add("2a00:77::1/64 nodad");
  wan.ip("route add default dev wan");
  wan.ip("-6 route add default dev wan");
  Daemon daemon({}, kWanConfig);
  CHECK(count(daemon.log(), "2a00:77::/64 is a network of this machine") == 1);
  RelayClient client = come_to("44.0.0.1", daemon);
  client::RequestContents contents;
  contents.requested_family = Family::ipv6;
  REQUIRE(client.allocate(contents) == 0);
  const Endpoint neighbour = at("2a00:77::2", 80);
  const std::string hint = "peers: allow: [\"2a00:77::/64\"]";
  CHECK(client.permit(neighbour) == 403);
  CHECK(client.permit(neighbour) == 403);
  REQUIRE(daemon.wait_for_log(hint));
  CHECK(client.permit(at("2a00:78::2", 80)) == 0);  // though the default route leads there by this interface
  CHECK(client.permit(at("2a00:99:1::2", 80)) == 0);

  const Endpoint later = at("2a00:99:1::2", 80);
  change(daemon, "2a00:99:1::/48 is a network of this machine", [&] { wan.add("2a00:99:1::1/48 nodad"); });
  CHECK(client.permit(later) == 403);
  REQUIRE(daemon.wait_for_log("peers: allow: [\"2a00:99:1::/48\"]"));
  change(daemon, "2a00:99:1::/48 is a network no more", [&] { wan.remove("2a00:99:1::1/48"); });
  CHECK(client.permit(later) == 0);
  change(daemon, "2a00:99:1::/48 is a new network", [&] { wan.add("2a00:99:1::1/48 nodad"); });
  CHECK(client.permit(later) == 403);
  CHECK(count(daemon.log(), hint) == 1);
  CHECK(count(daemon.log(), "2a00:99:1::/48 is a network of this machine") == 1);

  Daemon open({"peers.allow=['2a00:77::/64']"}, kWanConfig);
  RelayClient other = come_to("44.0.0.1", open);
  REQUIRE(other.allocate(contents) == 0);
  CHECK(other.permit(neighbour) == 0);
  CHECK(count(open.log(), "2a00:77::/64 is a network of this machine") == 0);
}

TEST_CASE("an advertised address follows the only relayed one, and it is said when there is none",
          "[.][own_network]") {
  Wan wan;
  wan.add("10.9.8.7/32");
  wan.ip("route add default dev wan");
  Daemon daemon({"relay.advertise=198.51.100.7"}, kWanConfig);
  CHECK(count(daemon.log(), "not reachable from the Internet") == 0);
  RelayClient first = come_to("10.9.8.7", daemon, "10.9.8.7");
  REQUIRE(first.allocate() == 0);
  CHECK(first.relayed().address == *IpAddress::parse("198.51.100.7"));

  const std::string absent = "relay.advertise: 198.51.100.7 cannot be used now";
  change(daemon, absent, [&] { wan.remove("10.9.8.7/32"); });
  change(daemon, "the default route of IPv4 is from 10.9.8.9", [&] {
    wan.add("10.9.8.9/32");
    wan.ip("route replace default dev wan src 10.9.8.9");
  });
  RelayClient second = come_to("10.9.8.9", daemon, "10.9.8.9");
  REQUIRE(second.allocate() == 0);
  CHECK(second.relayed().address == *IpAddress::parse("198.51.100.7"));
  RelayClient third = come_to("10.9.8.9", daemon, "10.9.8.9");
  REQUIRE(third.allocate() == 0);
  expect_relayed(second, third, "by the advertised addresses");
}

// This is the passive machine of a pair: it has to take a new certificate, and to forget a user.
TEST_CASE("a reload succeeds while an address of the configuration is away", "[.][own_network]") {
  Wan wan;
  wan.add("44.0.0.1/32");
  wan.add("44.0.0.2/32");
  wan.ip("route add default dev wan src 44.0.0.2");
  const std::string relay =
      GENERATE(as<std::string>(), "addresses: [44.0.0.1, 44.0.0.2]", "advertise: 198.51.100.7");
  const std::string config = kWanConfig + ("relay: {" + relay);
  Daemon daemon({}, config + "}\n");
  change(daemon, "44.0.0.2 is gone", [&] { wan.remove("44.0.0.2/32"); });
  change(daemon, "reloaded", [&] { kill(daemon.pid(), SIGHUP); });
  // New entries still have to fit the present addresses.
  std::ofstream(daemon.config_file()) << kWanConfig << "relay: {advertise: 198.51.100.9}\n";
  change(daemon, "reload failed", [&] { kill(daemon.pid(), SIGHUP); });
  CHECK(count(daemon.log(), "relay.advertise: 198.51.100.9 can stand for one relayed address") == 1);
}

TEST_CASE("what a reload advertises for an absent address is a warning", "[.][own_network]") {
  Wan wan;
  wan.add("44.0.0.1/32");
  Daemon daemon({}, kWanConfig);
  std::ofstream(daemon.config_file()) << kWanConfig << "relay: {advertise: {44.0.0.2: 198.51.100.7}}\n";
  change(daemon, "reloaded", [&] { kill(daemon.pid(), SIGHUP); });
  CHECK(count(daemon.log(), "relay.advertise: 44.0.0.2 is not an address of this machine now") == 1);
}

TEST_CASE("an advertised address whose local one is absent is a warning, each time that it goes",
          "[.][own_network]") {
  Wan wan;
  wan.add("44.0.0.1/32");
  wan.ip("route add default dev wan");
  Daemon daemon({"relay.advertise={44.0.0.2: 198.51.100.7}"}, kWanConfig);
  const std::string warning = "relay.advertise: 44.0.0.2 is not an address of this machine now";
  CHECK(count(daemon.log(), warning) == 1);
  change(daemon, "44.0.0.2 is new", [&] { wan.add("44.0.0.2/32"); });
  CHECK(count(daemon.log(), warning) == 1);
  RelayClient client = come_to("44.0.0.2", daemon);
  REQUIRE(client.allocate() == 0);
  CHECK(client.relayed().address == *IpAddress::parse("198.51.100.7"));
  change(daemon, warning, [&] { wan.remove("44.0.0.2/32"); });
  CHECK(count(daemon.log(), warning) == 2);
}

// With loopback's usual MTU, no datagram is too large.
TEST_CASE("a datagram that may not be fragmented and is too large for this machine comes back as an error",
          "[.][own_network]") {
  Wan wan;
  wan.ip("link set lo mtu 1500");
  Daemon daemon({R"(listen=["udp://127.0.0.1:0", "tcp://127.0.0.1:0"])"});
  // For a client that sends datagrams, DONT-FRAGMENT is ignored with IPv6 (RFC 8656 §13).
  for (const Transport transport : {Transport::udp, Transport::tcp}) {
    const Family family = transport == Transport::udp ? Family::ipv4 : Family::ipv6;
    RelayClient client(daemon.listener(transport == Transport::udp ? 0 : 1), transport);
    client::UdpSocket peer(loopback(family));
    client::RequestContents contents;
    contents.requested_family = family;
    REQUIRE(client.allocate(contents) == 0);
    REQUIRE(client.permit(peer.local()) == 0);
    client.send(peer.local(), pattern(2000), true);
    const auto arrival = client.receive();
    REQUIRE(arrival);
    REQUIRE(arrival->icmp);
    CHECK(*arrival->icmp == (family == Family::ipv4 ? stun::Icmp{3, 4, 1500} : stun::Icmp{2, 0, 1500}));
    CHECK(arrival->peer == peer.local());
    client.send(peer.local(), pattern(2000));
    const auto datagram = peer.receive(10s);
    REQUIRE(datagram);
    CHECK(datagram->bytes.size() == 2000);
  }
}

TEST_CASE("a router's word that a datagram was too large comes back", "[.][own_network]") {
  Wan wan;
  Daemon daemon;
  RelayClient client(daemon.listener());
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.permit(peer.local()) == 0);
  client.send(peer.local(), pattern(1000), true);
  REQUIRE(peer.receive(10s));
  // This is an ICMP error of type 3, code 4 with an MTU of 900 (RFC 1191 §4), and the headers of that
  // datagram.
  Octets error{3, 4, 0, 0, 0, 0, 900 >> 8, 900 & 0xFF};
  const Octets headers{0x45, 0, 1028 >> 8, 1028 & 0xFF, 0, 0, 0x40, 0, 64, 17,
                       0,    0, 127,       0,           0, 1, 127,  0, 0,  1};
  error.insert(error.end(), headers.begin(), headers.end());
  const std::uint16_t ports_and_size[] = {client.relayed().port, peer.local().port, 1008, 0};
  for (const std::uint16_t word : ports_and_size) {
    error.push_back(static_cast<std::uint8_t>(word >> 8));
    error.push_back(static_cast<std::uint8_t>(word));
  }
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < error.size(); i += 2) sum += load_u16(&error[i]);
  sum = (sum & 0xFFFF) + (sum >> 16);
  store_u16(&error[2], static_cast<std::uint16_t>(~(sum + (sum >> 16))));
  const net::Fd raw(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  REQUIRE(raw);
  const net::SocketAddress here(Endpoint{client.relayed().address, 0});
  REQUIRE(sendto(raw.get(), error.data(), error.size(), 0, &here.any, here.size()) ==
          static_cast<ssize_t>(error.size()));
  const auto arrival = client.receive();
  REQUIRE(arrival);
  REQUIRE(arrival->icmp);
  CHECK(*arrival->icmp == stun::Icmp{3, 4, 900});
  CHECK(arrival->peer == peer.local());
}

TEST_CASE("an advertised address in peers.allow is the address here", "[.][own_network]") {
  Wan wan;
  wan.add("10.9.8.7/32");
  wan.ip("route add default dev wan");
  Daemon daemon({"relay.advertise={10.9.8.7: 198.51.100.7}", "peers.allow=[198.51.100.7]"}, kWanConfig);
  RelayClient client = come_to("10.9.8.7", daemon, "10.9.8.7");
  REQUIRE(client.allocate() == 0);
  client::UdpSocket service(at("10.9.8.7", 0));
  const Endpoint as_told = at("198.51.100.7", service.local().port);
  REQUIRE(client.permit(as_told) == 0);
  client.send(as_told, octets("for the service"));
  CHECK(service.receive(10s));
}
