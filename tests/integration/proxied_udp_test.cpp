// Tests clients by UDP and DTLS behind load balancers that use the PROXY protocol, against the real daemon.
// The test itself is the balancer.
#include <poll.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/proxy_headers.hpp"
#include "support/relaying.hpp"
#include "support/tls_daemon.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

Endpoint parse(const std::string& text) { return Endpoint::parse(text).value(); }

// The address of the balancer, and the client that its headers name.
const Endpoint kTrusted = parse("127.0.0.2:0");
Endpoint said_v4(const Endpoint& client) {
  return {IpAddress::parse("198.51.100.7").value(), client.port, 0};
}
Endpoint said_v6(const Endpoint& client) { return {IpAddress::parse("2001:db8::7").value(), client.port, 0}; }

enum class HeaderOn { each, first };

// It has a socket of its own for each client, and forgets none. It has to last as long as the server, which
// takes a new header by the port of an old socket for a client's lie where only the first datagram has one.
class Balancer {
 public:
  using Says = std::function<Endpoint(const Endpoint&)>;

  Balancer(const Endpoint& server, HeaderOn header_on, Says says, const Endpoint& from = kTrusted)
      : server_(server), header_on_(header_on), says_(std::move(says)), from_(from) {
    thread_ = std::thread([this] { run(); });
  }
  ~Balancer() {
    stopping_ = true;
    thread_.join();
  }
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  Endpoint at() const { return front_.local(); }

 private:
  static constexpr int kPatience = 20;  // ms

  void run() {
    while (!stopping_) {
      std::vector<pollfd> waiting{{front_.fd(), POLLIN, 0}};
      for (const auto& [client, way] : ways_) waiting.push_back({way->fd(), POLLIN, 0});
      poll(waiting.data(), waiting.size(), kPatience);
      while (const auto datagram = front_.receive(0ms)) pass_on(*datagram);
      for (const auto& [client, way] : ways_) {
        while (const auto datagram = way->receive(0ms)) front_.send_to(datagram->bytes, client);
      }
    }
  }

  void pass_on(const client::Datagram& datagram) {
    std::unique_ptr<client::UdpSocket>& way = ways_[datagram.from];
    const bool is_first = !way;
    if (is_first) {
      way = std::make_unique<client::UdpSocket>(from_);
      way->connect(server_);
    }
    Octets bytes;
    if (is_first || header_on_ == HeaderOn::each) bytes = octets(proxy_header(says_(datagram.from)));
    bytes.insert(bytes.end(), datagram.bytes.begin(), datagram.bytes.end());
    way->send_to(bytes, server_);
  }

  const Endpoint server_;
  const HeaderOn header_on_;
  const Says says_;
  const Endpoint from_;
  client::UdpSocket front_{loopback(Family::ipv4)};
  std::map<Endpoint, std::unique_ptr<client::UdpSocket>> ways_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

using Listener = std::size_t;  // its place in the configuration
constexpr Listener kEach = 0;
constexpr Listener kFirst = 1;
constexpr Listener kBalancedDtls = 2;
constexpr Listener kWildcard = 3;
constexpr Listener kV6 = 4;
constexpr Listener kPlain = 5;

struct ProxiedServer : TlsDaemon {
  explicit ProxiedServer(const std::vector<std::string>& set = {})
      : TlsDaemon(
            joined({R"(listen=[{url: "udp://127.0.0.1:0", proxy_protocol: [127.0.0.2]}, )"
                    R"({url: "udp://127.0.0.1:0", proxy_protocol: [127.0.0.2/31], proxy_header: first}, )"
                    R"({url: "dtls://127.0.0.1:0", proxy_protocol: [127.0.0.2]}, )"
                    R"({url: "udp://0.0.0.0:0", proxy_protocol: [127.0.0.2]}, )"
                    R"({url: "udp://[::1]:0", proxy_protocol: ["::1"], proxy_header: each}, )"
                    R"("udp://127.0.0.1:0"])",
                    "workers=4"},
                   set)) {}

  Endpoint at(Listener listener) const {
    Endpoint endpoint = daemon.listener(listener);
    if (listener == kWildcard) endpoint.address = loopback(Family::ipv4).address;
    return endpoint;
  }
};

constexpr std::size_t kProxiedSizes[] = {0, 1, 3, 160, 1100, 9000};

// Does everything that a client does, and checks that the server sees it under the address in the header.
void expect_service(const Endpoint& at, Transport transport, const Balancer::Says& says) {
  RelayClient client(at, transport);
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(client.allocate({.requested_family = Family::ipv4}) == 0);
  REQUIRE(client.mapped());
  CHECK(*client.mapped() == says(client.local()));
  expect_indications(client, peer);
  REQUIRE(client.bind(0x4000, peer.local()) == 0);
  expect_relaying(client, peer, 0x4000, kProxiedSizes);
  CHECK(client.refresh(0s) == 0);
}

// Returns the address in the answer to a Binding request with this header, or "nothing".
std::string mapped(client::UdpSocket& socket, const Endpoint& server, const std::string& header) {
  Octets bytes = octets(header);
  const Octets request = binding_request();
  bytes.insert(bytes.end(), request.begin(), request.end());
  socket.send_to(bytes, server);
  const auto answer = socket.receive(10s);
  if (!answer) return "nothing";
  const auto message = stun::MessageView::parse(answer->bytes);
  if (!message) return "nothing";
  const auto value = message->find(stun::AttributeType::xor_mapped_address);
  const auto address = value ? stun::decode_xor_address(*value, message->transaction_id()) : std::nullopt;
  return address ? address->to_string() : "no address";
}

}  // namespace

TEST_CASE("behind a load balancer by UDP, clients are whom it says they are", "[integration][proxied]") {
  ProxiedServer server;
  std::deque<Balancer> balancers;
  for (const Listener listener : {kEach, kFirst, kWildcard, kV6}) {
    const HeaderOn header_on = listener == kFirst ? HeaderOn::first : HeaderOn::each;
    const Endpoint from = listener == kV6 ? parse("[::1]:0") : kTrusted;
    for (const Balancer::Says& says : {Balancer::Says(said_v4), Balancer::Says(said_v6)}) {
      CAPTURE(listener);
      const Balancer& balancer = balancers.emplace_back(server.at(listener), header_on, says, from);
      for (int i = 0; i < 4; ++i) expect_service(balancer.at(), Transport::udp, says);
    }
  }
  CHECK(server.daemon.wait_for_log("client=198.51.100.7:"));
  CHECK(server.daemon.wait_for_log("client=[2001:db8::7]:"));
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("load balancers, by UDP: begun=32"));
}

TEST_CASE("behind a load balancer DTLS is served too", "[integration][proxied]") {
  ProxiedServer server;
  std::deque<Balancer> balancers;
  for (const Listener listener : {kEach, kFirst, kBalancedDtls, kWildcard}) {
    const HeaderOn header_on = listener == kFirst ? HeaderOn::first : HeaderOn::each;
    for (const Balancer::Says& says : {Balancer::Says(said_v4), Balancer::Says(said_v6)}) {
      CAPTURE(listener);
      const Balancer& balancer = balancers.emplace_back(server.at(listener), header_on, says);
      for (int i = 0; i < 2; ++i) expect_service(balancer.at(), Transport::dtls, says);
    }
  }
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("clients behind a balancer reach one another, and those without one", "[integration][proxied]") {
  ProxiedServer server;
  const Balancer balancer(server.at(kEach), HeaderOn::each, said_v4);
  const Balancer first(server.at(kFirst), HeaderOn::first, said_v6);
  for (const Endpoint& other : {balancer.at(), first.at(), server.at(kPlain)}) {
    for (const Transport transport : {Transport::udp, Transport::dtls}) {
      RelayClient ann(balancer.at(), transport);
      RelayClient ben(other, {.credentials = client::Credentials{"bob", "hunter2"}});
      expect_conversation(ann, ben);
    }
  }
}

TEST_CASE("behind a balancer, limits count for its clients, each by itself", "[integration][proxied]") {
  ProxiedServer server({"limits.allocations_per_address=1", "clients.deny=[192.0.2.0/24]"});
  std::atomic<int> number = 7;
  const Balancer balancer(server.at(kEach), HeaderOn::each, [&](const Endpoint& client) {
    return Endpoint{IpAddress::v4(0xC6336400U + static_cast<std::uint32_t>(number)), client.port, 0};
  });
  RelayClient ann(balancer.at(), Transport::udp);
  RelayClient too_much(balancer.at(), Transport::dtls);
  REQUIRE(ann.allocate() == 0);
  CHECK(too_much.allocate() == 486);
  number = 8;  // for all that comes from here on
  RelayClient ben(balancer.at(), Transport::udp);
  CHECK(ben.allocate() == 0);
  // A client that now has another address in its headers has no allocation any more.
  CHECK(ann.refresh(600s) == 437);

  const Balancer of_denied(server.at(kEach), HeaderOn::each, [](const Endpoint& client) {
    return Endpoint{IpAddress::parse("192.0.2.9").value(), client.port, 0};
  });
  RelayClient denied(of_denied.at(), Transport::udp);
  CHECK(denied.allocate() == 403);
}

TEST_CASE("datagrams of others, or without a valid header, are ignored", "[integration][proxied]") {
  ProxiedServer server;
  const std::string header = proxy_header(parse("198.51.100.7:55555"));
  for (const Listener listener : {kBalancedDtls, kEach, kFirst}) {
    CAPTURE(listener);
    client::UdpSocket untrusted(loopback(Family::ipv4));
    client::UdpSocket balancer(kTrusted);
    const auto sends = [&](client::UdpSocket& socket, const std::string& start) {
      Octets bytes = octets(start);
      const Octets request = binding_request();
      bytes.insert(bytes.end(), request.begin(), request.end());
      socket.send_to(bytes, server.at(listener));
    };
    sends(untrusted, header);
    sends(untrusted, "");
    sends(untrusted, local_proxy_header());
    sends(balancer, "");
    sends(balancer, header.substr(0, 14) + "\x03\xE8");  // longer than the datagram
    sends(balancer, proxy_header(0x21, 0x11, std::string(12, 'x')));
    sends(balancer, proxy_header(0x21, 0x12, std::string(11, 'x')));
    sends(balancer, proxy_header(0x2F, 0x12, std::string(12, 'x')));
    sends(balancer, proxy_header(0x21, 0x12, std::string(5000, 'x')));
    sends(balancer, "PROXY TCP4 198.51.100.7\r\n");
    if (listener == kBalancedDtls) continue;  // where a Binding request alone is nothing
    // The first answer belongs to the first valid request.
    CHECK(mapped(balancer, server.at(listener), header) == "198.51.100.7:55555");
    CHECK_FALSE(untrusted.receive(100ms));
    CHECK_FALSE(balancer.receive(100ms));
  }
  // The balancer makes a health check of its own.
  client::UdpSocket check(kTrusted);
  CHECK(mapped(check, server.at(kEach), local_proxy_header()) == check.local().to_string());
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains(" untrusted=9 "));
  CHECK_THAT(server.daemon.log(), Catch::Contains(" malformed_headers=18 "));
}

TEST_CASE("a client cannot write a header itself, whichever way its balancer writes them",
          "[integration][proxied]") {
  ProxiedServer server;
  const std::string lie = proxy_header(parse("203.0.113.1:1"));
  for (const Listener listener : {kEach, kFirst}) {
    CAPTURE(listener);
    const HeaderOn header_on = listener == kFirst ? HeaderOn::first : HeaderOn::each;
    const Balancer balancer(server.at(listener), header_on, said_v4);
    client::UdpSocket client(loopback(Family::ipv4));
    const std::string truth = said_v4(client.local()).to_string();
    CHECK(mapped(client, balancer.at(), "") == truth);
    Octets lying = octets(lie);
    const Octets request = binding_request();
    lying.insert(lying.end(), request.begin(), request.end());
    client.send_to(lying, balancer.at());
    CHECK_FALSE(client.receive(200ms));
    CHECK(mapped(client, balancer.at(), "") == truth);
  }
}

// Each new client is a new socket of the balancer, which hashes to any of four workers.
TEST_CASE("an allocation follows its client behind a balancer over workers", "[integration][proxied]") {
  ProxiedServer server({"relay.mobility=true"});
  const Balancer balancer(server.at(kEach), HeaderOn::each, said_v4);
  const Balancer first(server.at(kFirst), HeaderOn::first, said_v6);
  client::UdpSocket peer(loopback(Family::ipv4));
  auto here = std::make_unique<RelayClient>(balancer.at(), Transport::udp);
  REQUIRE(here->allocate({.others = {{stun::AttributeType::mobility_ticket, {}}}}) == 0);
  REQUIRE(here->bind(0x4000, peer.local()) == 0);
  const Endpoint relayed = here->relayed();
  std::string ticket = here->ticket();
  for (int i = 0; i < 30; ++i) {
    CAPTURE(i);
    const Endpoint at = i % 5 == 4 ? server.at(kPlain) : i % 2 == 0 ? first.at() : balancer.at();
    auto there = std::make_unique<RelayClient>(at, i % 3 == 2 ? Transport::dtls : Transport::udp);
    REQUIRE(there->move_here(ticket) == 0);
    ticket = there->ticket();
    there->send_on_channel(0x4000, octets("I am here"));
    const auto datagram = peer.receive(10s);
    REQUIRE(datagram);
    CHECK((datagram->bytes == octets("I am here")));
    peer.send_to(octets("by the new one"), relayed);
    const auto arrival = there->receive();
    REQUIRE(arrival);
    CHECK(arrival->text() == "by the new one");
    CHECK(there->bind(0x4000, peer.local()) == 0);
    here = std::move(there);
  }
  CHECK(here->refresh(0s) == 0);
}
