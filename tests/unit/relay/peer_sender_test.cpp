// Tests what a worker does with the errors of its relay sockets, on real sockets.
#include "relay/peer_sender.hpp"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>
#include <vector>

#include "net/epoll.hpp"
#include "net/socket_calls.hpp"
#include "net/system_random.hpp"
#include "support/quiet_port.hpp"

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;

const IpAddress kLoopback = IpAddress::v4(0x7F000001);

// A worker with a relayed address for UDP.
struct UdpRelayTown : private RelaySockets::Host, private PeerSender::Host {
  UdpRelayTown() {
    turn::RelayRequest request;
    request.client_side = kLoopback;
    auto opened = sockets.open(request);
    relayed.emplace(std::move(*opened));
    sockets.prepare(relayed->id());
  }

  bool watch_relay(int fd, turn::RelayId relay) override {
    return epoll.add(fd, static_cast<std::uint64_t>(relay), EPOLLIN);
  }
  void on_icmp(turn::RelayId /*relay*/, const Endpoint& peer, const stun::Icmp& /*icmp*/,
               TimePoint /*now*/) override {
    unreachable.push_back(peer);
  }
  static turn::RelayParams on_loopback() {
    turn::RelayParams params;
    params.addresses = {kLoopback};
    return params;
  }

  int fd() const { return static_cast<int>(relayed->id()); }
  // Makes the kernel report that nobody receives at this address.
  void send_in_vain(const Endpoint& to) {
    const net::SocketAddress address(to);
    REQUIRE(sendto(fd(), "x", 1, 0, &address.any, address.size()) == 1);
    std::array<epoll_event, 1> events;
    REQUIRE(epoll.wait(events, 10'000).size() == 1);
    REQUIRE((events[0].events & EPOLLERR) != 0);
  }
  bool is_quiet() const {
    std::array<epoll_event, 1> events;
    return epoll.wait(events, 0).empty();
  }

  net::Epoll epoll;
  net::SystemRandom random;
  RelayPool pool{on_loopback(), {}};
  RelaySockets sockets{pool, random, *this, 0};
  std::optional<turn::Relay> relayed;
  net::SendCounters counters;
  PeerSender sender{sockets, counters, *this};
  std::vector<Endpoint> unreachable;
  TimePoint now{SteadyTime(1h), WallTime(1h)};
};

TEST_CASE("the errors of a relay socket are taken from it, so that it does not report them again",
          "[relay]") {
  UdpRelayTown town;
  const Endpoint nobody{kLoopback, test::quiet_port(kLoopback)};
  town.send_in_vain(nobody);
  SECTION("from the queue") {
    town.sender.take_errors(town.relayed->id(), town.fd(), town.now);
    CHECK(town.unreachable == std::vector<Endpoint>{nobody});
  }
  SECTION(
      "a stored one without an entry in the queue, as when the kernel stores it after the entry was taken") {
    for (const int on : {0, 1}) net::set_option(town.fd(), IPPROTO_IP, IP_RECVERR, on);  // empties the queue
    REQUIRE_FALSE(town.is_quiet());
    town.sender.take_errors(town.relayed->id(), town.fd(), town.now);
    CHECK(town.unreachable.empty());
  }
  // The kernel may store an error a moment after its entry was taken. A pass later it is gone.
  if (!town.is_quiet()) town.sender.take_errors(town.relayed->id(), town.fd(), town.now);
  CHECK(town.is_quiet());
}

}  // namespace
}  // namespace turnpike::relay
