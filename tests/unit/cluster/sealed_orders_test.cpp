#include "cluster/sealed_orders.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace turnpike::cluster {
namespace {

Params params_of(const std::string& name, const std::string& secret) {
  Params params;
  params.secrets = {secret};
  params.node = name;
  return params;
}

// A node with its own log and seal.
struct Side {
  explicit Side(const std::string& name, const std::string& secret = "secret of the cluster")
      : own(params_of(name, secret),
            [this] {
              return TimePoint{SteadyTime(Duration(time)), WallTime(Duration(1))};
            }),
        log(
            own, {}, [this](const std::string& line) { lines.push_back(line); }, refused),
        seal({secret}),
        orders(own, seal, log) {}

  Duration::rep time = 1'000'000;
  Counter refused;
  std::vector<std::string> lines;
  OwnNode own;
  ClusterLog log;
  Seal seal;
  SealedOrders orders;
};

TEST_CASE("another node reads an order as it was given", "[cluster]") {
  Side a("a.example.org");
  Side b("b.example.org");
  for (const Order::Kind kind : {Order::Kind::end_user, Order::Kind::remove_user, Order::Kind::revoke}) {
    const auto read = b.orders.open(a.orders.seal(1'795'000'000'000, {kind, "ann \"the\" first"}));
    REQUIRE(read);
    CHECK(read->node == "a.example.org");
    CHECK(read->number == 1'795'000'000'000);
    CHECK(read->order.kind == kind);
    CHECK(read->order.name == "ann \"the\" first");
    CHECK_FALSE(read->order.given);
  }
  CHECK(b.refused == 0);
}

TEST_CASE("an answer is published to the node that has given the order", "[cluster]") {
  Side a("a.example.org");
  Side b("b.example.org");
  for (const OrderResult result : {OrderResult::done, OrderResult::no_such_user, OrderResult::in_file,
                                   OrderResult::busy, OrderResult::clock, OrderResult::failed}) {
    const RedisConnection::Command command = b.orders.answer("a.example.org", 7, result);
    REQUIRE(command.size() == 3);
    CHECK(command[0] == "PUBLISH");
    CHECK(command[1] == "turnpike:answers:a.example.org");
    const auto read = a.orders.open_answer(command[2]);
    REQUIRE(read);
    CHECK(read->node == "b.example.org");
    CHECK(read->order == 7);
    CHECK(read->result == result);
    // The signature is valid for a's channel alone.
    CHECK_FALSE(b.orders.open_answer(command[2]));
  }
  CHECK(a.refused == 0);
}

TEST_CASE("a result that this version does not know counts as a failure", "[cluster]") {
  Side a("a.example.org");
  const auto read = a.orders.open_answer(
      a.seal.seal("turnpike:answers:a.example.org", R"({"node":"b","to":7,"result":"deferred"})"));
  REQUIRE(read);
  CHECK(read->result == OrderResult::failed);
}

TEST_CASE("orders and answers that are not signed, or are malformed, are counted and reported", "[cluster]") {
  Side a("a.example.org");
  Side stranger("b.example.org", "another secret");
  const auto sealed = [&](const char* text) { return a.seal.seal("turnpike:orders", text); };

  CHECK_FALSE(a.orders.open(stranger.orders.seal(1, {Order::Kind::end_user, "ann"})));
  CHECK(a.lines ==
        std::vector<std::string>{"cluster: an order is not signed with our secret: it is ignored"});
  CHECK_FALSE(a.orders.open_answer(stranger.orders.answer("a.example.org", 1, OrderResult::done)[2]));
  CHECK(a.refused == 2);
  CHECK(a.lines.size() == 1);  // at most one line a minute

  a.time += Duration(kBetweenWarnings).count();
  for (const char* const text :
       {R"({"node":"b","number":1})", R"({"node":"b","number":1,"reboot":"now"})",
        R"({"node":"","number":1,"end_user":"ann"})", R"({"node":"b","number":1,"end_user":""})",
        R"({"node":"b","number":-1,"end_user":"ann"})", R"(["node"])"}) {
    CAPTURE(text);
    CHECK_FALSE(a.orders.open(sealed(text)));
  }
  CHECK(a.refused == 8);
  CHECK(a.lines.size() == 2);
  CHECK(a.lines.back() == "cluster: an order is malformed: it is ignored");
}

}  // namespace
}  // namespace turnpike::cluster
