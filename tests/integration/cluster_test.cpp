// Tests several daemons as the nodes of a cluster, with a real Redis: how they share quotas, and where a full
// node sends its clients.
#include <catch2/catch.hpp>
#include <memory>
#include <thread>

#include "support/daemon.hpp"
#include "support/relay_client.hpp"
#include "support/temporary_folder.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

class Redis {
 public:
  Redis()
      : child_({"redis-server", "--port", "0", "--unixsocket", socket(), "--save", "", "--dir",
                folder_.path()}) {
    REQUIRE(child_.wait_for(
        [](const std::string& log) { return log.find("eady to accept connections") != std::string::npos; }));
  }

  std::string socket() const { return folder_ / "redis.sock"; }

 private:
  TemporaryFolder folder_;
  Child child_;
};

std::unique_ptr<Daemon> start_node(const Redis& redis, const std::string& name,
                                   std::vector<std::string> set) {
  set.push_back("cluster={redis: 'unix:" + redis.socket() +
                "', secret: a secret of all nodes, node: " + name + ".example.org}");
  return std::make_unique<Daemon>(set);
}

// Checks a condition again and again, since no node reports when it is true.
template <class Condition>
bool holds_soon(Condition&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

}  // namespace

TEST_CASE("a user's quota holds on all nodes, but for a burst that is over before they have heard of it",
          "[integration][cluster]") {
  const Redis redis;
  std::vector<std::unique_ptr<Daemon>> nodes;
  for (const std::string name : {"a", "b", "c"}) {
    nodes.push_back(start_node(redis, name, {"limits.allocations_per_user=10"}));
  }
  std::vector<std::unique_ptr<RelayClient>> clients;
  const auto try_at = [&](std::size_t node) {
    clients.push_back(std::make_unique<RelayClient>(nodes[node]->listener()));
    return clients.back()->allocate();
  };
  int held = 0;
  for (std::size_t i = 0; i < 200; ++i) held += try_at(i % 3) == 0 ? 1 : 0;
  UNSCOPED_INFO("of 200 at once over three nodes, " << held << " were let in with a quota of 10");
  CHECK(held >= 10);
  CHECK(held <= 30);
  // Soon every node knows the allocations of the others, and admits nobody.
  REQUIRE(holds_soon([&] { return try_at(0) == 486 && try_at(1) == 486 && try_at(2) == 486; }));
  // When there are no more allocations than the limit, each one that ends frees one place, on any node.
  for (const auto& client : clients) {
    if (client->relayed().port != 0) REQUIRE(client->refresh(0s) == 0);
  }
  clients.clear();
  REQUIRE(holds_soon([&] { return try_at(2) == 0; }));
}

TEST_CASE("a full node sends its clients to one that is not", "[integration][cluster]") {
  const Redis redis;
  const auto full = start_node(redis, "a", {"limits.allocations=1", "relay.alternate_servers=cluster"});
  const auto other = start_node(redis, "b", {});
  RelayClient first(full->listener());
  REQUIRE(first.allocate() == 0);
  RelayClient second(full->listener());
  REQUIRE(holds_soon([&] { return second.allocate() == 300; }));
  RelayClient there(other->listener());
  CHECK(there.allocate() == 0);
  REQUIRE(other->stop() == 0);
  CHECK(holds_soon([&] { return second.allocate() == 486; }));
}

TEST_CASE("what a user may send in a second is divided between the nodes that the user sends by",
          "[integration][cluster]") {
  constexpr std::size_t kLimit = 200'000;
  constexpr std::size_t kPayload = 1000;
  const Redis redis;
  struct Sender {
    explicit Sender(std::unique_ptr<Daemon> started)
        : node(std::move(started)), client(node->listener()), peer(loopback(Family::ipv4)) {
      REQUIRE(client.allocate() == 0);
      REQUIRE(client.bind(0x4000, peer.local()) == 0);
    }
    std::unique_ptr<Daemon> node;
    RelayClient client;
    client::UdpSocket peer;
    std::size_t arrived = 0;
  };
  const std::vector<std::string> limit{"limits.bytes_per_second_per_user=" + std::to_string(kLimit)};
  Sender one(start_node(redis, "a", limit));
  Sender two(start_node(redis, "b", limit));

  // Each client sends as much as the whole limit, and then the same amount again.
  const Octets payload = pattern(kPayload);
  const auto send_for = [&](std::chrono::milliseconds time) {
    const auto begun = std::chrono::steady_clock::now();
    for (std::size_t sent = 0;;) {
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun;
      if (passed > time) return passed.count();
      const auto due = static_cast<std::size_t>(passed.count() * 2 * kLimit / kPayload);
      for (; sent < due; ++sent) {
        for (Sender* sender : {&one, &two}) sender->client.send_on_channel(0x4000, payload);
      }
      for (Sender* sender : {&one, &two}) {
        while (sender->peer.receive(1ms)) ++sender->arrived;
      }
    }
  };
  // Soon both nodes have measured, and know the other's measurement. Without this, the rate would be twice
  // the limit.
  double per_second = 0;
  for (int i = 0; i < 8 && (i == 0 || per_second > 1.2 * kLimit); ++i) {
    one.arrived = two.arrived = 0;
    const double seconds = send_for(2s);
    per_second = static_cast<double>((one.arrived + two.arrived) * kPayload) / seconds;
  }
  CAPTURE(one.arrived, two.arrived, per_second);
  CHECK(per_second < 1.2 * kLimit);
  CHECK(one.arrived > two.arrived / 2);
  CHECK(two.arrived > one.arrived / 2);
}
