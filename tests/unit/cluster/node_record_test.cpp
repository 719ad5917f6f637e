#include "cluster/node_record.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <set>

namespace turnpike::cluster {
namespace {

namespace json = boost::json;

NodeRecord record() {
  NodeRecord node;
  node.name = "a.example.org";
  node.stun_urls = {"stun:a.example.org:3478"};
  node.turn_urls = {"turn:a.example.org:3478?transport=udp", "turns:a.example.org:5349?transport=tcp"};
  node.listeners = {{Transport::udp, *Endpoint::parse("198.51.100.7:3478")},
                    {Transport::dtls, *Endpoint::parse("[2001:db8::7]:5349")}};
  node.allocations = {7, 10};
  node.ports = {1, 16384};
  node.octets_per_second = 1'000'000;
  node.held_by_user = {{"ann", 7}, {"b\"en", 1}};
  node.held_by_address = {{"198.51.100.1", 3}};
  node.demand_by_user = {{"ann", {300'000, 0}}};
  node.began = 1'794'000'000'000;
  node.written_at = 1'795'000'000'000;
  node.ready = true;
  return node;
}

TEST_CASE("a node's record is read as it was written", "[cluster]") {
  const NodeRecord written = record();
  const auto read = parse_node_record(to_json(written));
  REQUIRE(read);
  CHECK(to_json(*read) == to_json(written));
  CHECK(read->listeners.at(1).endpoint == written.listeners[1].endpoint);
  CHECK(read->listeners.at(1).transport == Transport::dtls);
  CHECK((read->ready && !read->draining));
  CHECK(read->began == written.began);
  CHECK(read->written_at == written.written_at);
  CHECK(read->held_by_user == written.held_by_user);
  CHECK(read->demand_by_user == written.demand_by_user);
}

TEST_CASE("a record tells what nodes of an earlier version do not", "[cluster]") {
  NodeRecord written = record();
  written.leaving = true;
  written.secrets = {"one", "two"};
  const auto read = parse_node_record(to_json(written));
  REQUIRE(read);
  CHECK(read->leaving);
  CHECK(read->secrets == written.secrets);
  written.secrets.assign(NodeRecord::kMaxSecrets + 1, "one");
  CHECK_FALSE(parse_node_record(to_json(written)));
}

TEST_CASE("while secrets are changed on one node after the other, all nodes choose the same", "[cluster]") {
  // Of two common secrets, the one with the smaller id is chosen.
  const std::vector<std::vector<std::string>> pairs{{"old", "new"}, {"a", "b"}};
  for (const auto& pair : pairs) {
    const std::string& before = pair[0];
    const std::string& after = pair[1];
    const std::vector<std::vector<std::string>> steps{{before}, {before, after}, {after, before}, {after}};
    std::vector<std::vector<std::string>> nodes(3, steps.front());
    const auto chosen = [&] {
      std::set<std::string> all;
      for (std::size_t own = 0; own < nodes.size(); ++own) {
        std::vector<NodeRecord> others(2);
        for (std::size_t i = 0; i < 2; ++i) others[i].secrets = nodes[(own + 1 + i) % 3];
        const auto found = find_common_secret(nodes[own], others);
        REQUIRE(found);
        all.insert(nodes[own][*found]);
      }
      REQUIRE(all.size() == 1);
      return *all.begin();
    };
    std::string last = chosen();
    CHECK(last == before);
    std::size_t changes = 0;
    for (std::size_t step = 1; step < steps.size(); ++step) {
      for (auto& node : nodes) {
        node = steps[step];
        if (chosen() != last) ++changes;
        last = chosen();
      }
    }
    CHECK(last == after);
    CHECK(changes == 1);
  }
}

TEST_CASE("without a secret that all nodes know none is chosen", "[cluster]") {
  NodeRecord other;
  other.secrets = {"another"};
  CHECK_FALSE(find_common_secret({"ours"}, {other}));
  CHECK(find_common_secret({"ours"}, {NodeRecord()}) == 0);  // it does not tell
  CHECK(find_common_secret({"x", "b", "c"}, {}) == 1);
}

TEST_CASE("a record of another form is nothing", "[cluster]") {
  const json::object whole = json::parse(to_json(record())).as_object();
  for (const auto& [name, value] : whole) {
    CAPTURE(std::string(name));
    json::object changed = whole;
    changed.erase(name);
    CHECK_FALSE(parse_node_record(json::serialize(changed)));
    changed[name] = nullptr;
    CHECK_FALSE(parse_node_record(json::serialize(changed)));
  }
  const auto with = [&](const char* name, const char* text) {
    json::object changed = whole;
    changed[name] = json::parse(text);
    return json::serialize(changed);
  };
  for (const auto& text :
       {with("name", R"("")"), with("turn_urls", R"(["https://evil.example"])"),
        with("stun_urls", R"(["turn:x"])"), with("turn_urls", R"([""])"),
        with("listeners", R"([{"transport":"sctp","endpoint":"1.2.3.4:5"}])"),
        with("listeners", R"([{"transport":"udp","endpoint":"1.2.3.4"}])"), with("ports", R"({"used":1})"),
        with("octets_per_second", "-1"), with("written_at", "-1"), with("held_by_user", R"({"ann":-1})"),
        with("held_by_user", R"({"ann":4294967296})"), with("held_by_address", R"({"a":"b"})"),
        with("demand_by_user", R"({"ann":7})"), with("demand_by_user", R"({"ann":[1]})"),
        with("demand_by_user", R"({"ann":[1,-1]})"), with("demand_by_user", R"({"ann":[1,"2"]})"),
        std::string("{"), std::string("[]")}) {
    CAPTURE(text);
    CHECK_FALSE(parse_node_record(text));
  }
}

TEST_CASE("a node is as full as the fullest of its limits", "[cluster]") {
  NodeRecord node = record();
  CHECK(node.load() == Approx(0.7));
  node.ports = {16384, 16384};
  CHECK(node.load() == Approx(1));
  node.allocations = {1000, 0};
  node.ports = {0, 16384};
  CHECK(node.load() == Approx(0));
}

}  // namespace
}  // namespace turnpike::cluster
