#include "http/web_socket_clients.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/cost.hpp"
#include "support/manual_clock.hpp"

namespace turnpike::http {
namespace {

using namespace std::chrono_literals;

// Notes what it is told to do.
class NotingSocket : public WebSocket {
 public:
  const std::vector<std::string>& notes() const { return notes_; }

  void send(std::shared_ptr<const std::string> message, bool binary) override {
    notes_.push_back((binary ? "binary " : "text ") + *message);
  }
  void when_sent(std::function<void()>) override {}
  void close(std::uint16_t code, std::string_view reason) override {
    notes_.push_back(std::to_string(code) + ' ' + std::string(reason));
  }
  void close_after_next_message(std::uint16_t, std::string_view) override {}

 private:
  std::vector<std::string> notes_;
};

// The clients 1 and 2 have the same address, and client 3 has another one. An address may cause a cost of
// 1000 a second, and 2000 at once.
struct ThreeClients {
  ThreeClients() {
    clients.add(1, one, *IpAddress::parse("192.0.2.1"));
    clients.add(2, two, *IpAddress::parse("192.0.2.1"));
    clients.add(3, three, *IpAddress::parse("192.0.2.3"));
  }

  Duration rest_time(std::uint64_t number) const { return clients.rest_time(number, clock.now().steady); }
  void charge(std::uint64_t number, std::uint64_t cost) { clients.charge(number, cost, clock.now().steady); }

  test::ManualClock clock;
  SourcePace pace{1000, 2s, HashKey{1, 2}};
  WebSocketClients clients{pace};
  std::shared_ptr<NotingSocket> one = std::make_shared<NotingSocket>();
  std::shared_ptr<NotingSocket> two = std::make_shared<NotingSocket>();
  std::shared_ptr<NotingSocket> three = std::make_shared<NotingSocket>();
};

using Notes = std::vector<std::string>;

TEST_CASE("a message costs what its client was sent, and nothing when the client is gone", "[http]") {
  ThreeClients t;
  const auto message = std::make_shared<const std::string>("hello");
  CHECK(t.clients.send(1, message, false) == cost_of_message(5));
  CHECK(t.clients.send(3, message, true) == cost_of_message(5));
  t.clients.remove(3);
  CHECK(t.clients.send(3, message, false) == 0);
  CHECK(t.one->notes() == Notes{"text hello"});
  CHECK(t.two->notes().empty());
  CHECK(t.three->notes() == Notes{"binary hello"});
}

TEST_CASE("one client is closed, or all that are there", "[http]") {
  ThreeClients t;
  t.clients.close(2, 1008, "token-expired");
  CHECK(t.one->notes().empty());
  CHECK(t.two->notes() == Notes{"1008 token-expired"});
  t.clients.remove(2);
  CHECK(t.clients.find(2) == nullptr);
  CHECK(t.clients.find(1) == t.one.get());
  t.clients.close(2, 1008, "token-revoked");
  t.clients.close_all(1001, "restarting");
  CHECK(t.one->notes() == Notes{"1001 restarting"});
  CHECK(t.two->notes() == Notes{"1008 token-expired"});
  CHECK(t.three->notes() == Notes{"1001 restarting"});
}

TEST_CASE("all clients of an address rest for what one of them has caused", "[http]") {
  ThreeClients t;
  t.charge(1, 2000);
  CHECK(t.rest_time(1) == 0ms);
  t.charge(2, 500);
  CHECK(t.rest_time(1) == 500ms);
  CHECK(t.rest_time(2) == 500ms);
  CHECK(t.rest_time(3) == 0ms);
  t.clock.advance(400ms);
  CHECK(t.rest_time(1) == 100ms);
}

TEST_CASE("a ping is charged as a control frame", "[http]") {
  ThreeClients t;
  t.charge(1, 2000);
  t.clients.charge_control(1, 100, t.clock.now().steady);
  CHECK(t.rest_time(1) == Duration(cost_of_control(100)));
}

TEST_CASE("nobody pays for a client that is gone, and it does not rest", "[http]") {
  ThreeClients t;
  t.charge(1, 3000);
  t.clients.remove(1);
  CHECK(t.rest_time(1) == 0ms);
  t.charge(1, 1000);
  t.clients.charge_control(1, 100, t.clock.now().steady);
  CHECK(t.rest_time(2) == 1s);
}

}  // namespace
}  // namespace turnpike::http
