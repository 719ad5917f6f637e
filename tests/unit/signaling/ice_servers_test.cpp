#include "turnpike/signaling/ice_servers.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/auth/rest.hpp"

namespace turnpike::signaling {
namespace {

using namespace std::chrono_literals;
using namespace test;
using Listener = IceParams::Listener;

IceParams params(std::initializer_list<Listener> listeners) {
  IceParams params;
  params.listeners = listeners;
  params.secret = "north";
  return params;
}

Listener on(Transport transport, std::string_view at) { return {transport, endpoint(at)}; }

const std::initializer_list<Listener> kAll = {
    on(Transport::tls, "0.0.0.0:5349"), on(Transport::tcp, "0.0.0.0:3478"),
    on(Transport::udp, "0.0.0.0:3478"), on(Transport::dtls, "0.0.0.0:5349"),
    on(Transport::tls, "[::]:5349"),    on(Transport::tcp, "[::]:3478"),
    on(Transport::udp, "[::]:3478"),
};

std::string by_spaces(const std::vector<std::string>& urls) {
  std::string all;
  for (const std::string& url : urls) all += (all.empty() ? "" : " ") + url;
  return all;
}

// Returns what a client gets whose request named `requested`.
std::string stun(const IceServers& servers, std::string_view requested = "") {
  return by_spaces(servers.stun_urls(servers.host_for(requested)));
}
std::string turn(const IceServers& servers, std::string_view requested = "") {
  return by_spaces(servers.turn_urls(servers.host_for(requested)));
}

TEST_CASE("clients are told the best known host", "[signaling]") {
  struct Case {
    std::string host, certificate_name, advertised, default_address, requested, expected;
  };
  const Case cases[] = {
      // Each source of the name is used only when the ones before it are missing.
      {"turn.a", "cert.b", "198.51.100.7", "10.0.0.5", "asked.c", "turn.a"},
      {"", "cert.b", "198.51.100.7", "10.0.0.5", "asked.c", "cert.b"},
      {"", "", "198.51.100.7", "10.0.0.5", "asked.c", "198.51.100.7"},
      {"", "", "", "10.0.0.5", "asked.c", "asked.c"},
      {"", "", "", "", "asked.c", "asked.c"},
      {"", "", "", "10.0.0.5", "192.0.2.9", "192.0.2.9"},
      {"", "", "", "10.0.0.5", "2001:db8::9", "2001:db8::9"},
      // The request names this machine itself.
      {"", "", "", "10.0.0.5", "localhost", "10.0.0.5"},
      {"", "", "", "10.0.0.5", "app.localhost", "10.0.0.5"},
      {"", "", "", "10.0.0.5", "127.0.0.1", "10.0.0.5"},
      {"", "", "", "10.0.0.5", "127.1.2.3", "10.0.0.5"},
      {"", "", "", "10.0.0.5", "::1", "10.0.0.5"},
      {"", "", "", "2001:db8::5", "localhost", "2001:db8::5"},
      {"", "", "", "10.0.0.5", "notlocalhost", "notlocalhost"},
      {"", "", "", "10.0.0.5", "localhost.example", "localhost.example"},
      {"", "", "198.51.100.7", "10.0.0.5", "localhost", "198.51.100.7"},
      {"turn.a", "", "", "10.0.0.5", "localhost", "turn.a"},
      {"", "", "", "", "localhost", "localhost"},
      // Behind a proxy, the host of the request is unknown.
      {"", "", "", "10.0.0.5", "", "10.0.0.5"},
      {"", "", "198.51.100.7", "10.0.0.5", "", "198.51.100.7"},
      {"", "", "", "", "", ""},
      // A request writes an IPv6 address in brackets.
      {"", "", "", "10.0.0.5", "[::1]", "10.0.0.5"},
      {"", "", "", "10.0.0.5", "[2001:db8::9]", "2001:db8::9"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.host, c.certificate_name, c.advertised, c.default_address, c.requested);
    IceParams p = params(kAll);
    p.host = c.host;
    p.certificate_name = c.certificate_name;
    if (!c.advertised.empty()) p.advertise = {{address("10.0.0.5"), address(c.advertised)}};
    p.default_address = IpAddress::parse(c.default_address);
    CHECK(IceServers(p).host_for(c.requested) == c.expected);
  }
}

TEST_CASE("the address that clients are told changes with the machine's", "[signaling]") {
  IceParams p = params(kAll);
  p.default_address = address("10.0.0.5");
  IceServers servers(p);
  servers.set_addresses({}, address("10.0.0.6"));
  CHECK(servers.host_for("localhost") == "10.0.0.6");
  servers.set_addresses({}, {});
  CHECK(servers.host_for("localhost") == "localhost");
}

TEST_CASE("a name stands for all listeners, each URL once: udp, tcp, tls", "[signaling]") {
  IceParams p = params(kAll);
  SECTION("the operator's") { p.host = "turn.example.org"; }
  SECTION("the certificate's") { p.certificate_name = "turn.example.org"; }
  const IceServers servers(p);
  CHECK(stun(servers, "asked.example") == "stun:turn.example.org:3478");
  CHECK(turn(servers, "asked.example") ==
        "turn:turn.example.org:3478?transport=udp turn:turn.example.org:3478?transport=tcp "
        "turns:turn.example.org:5349?transport=tcp");
}

TEST_CASE("the name that a request had serves too", "[signaling]") {
  const IceServers servers(params(kAll));
  CHECK(turn(servers, "relay.example") ==
        "turn:relay.example:3478?transport=udp turn:relay.example:3478?transport=tcp "
        "turns:relay.example:5349?transport=tcp");
}

TEST_CASE("a literal fits the listeners of its family alone, and IPv6 has brackets", "[signaling]") {
  struct Case {
    std::string host;
    std::initializer_list<Listener> listeners;
    std::string stun;
    std::string turn;
  };
  const Case cases[] = {
      {"192.0.2.1",
       {on(Transport::udp, "0.0.0.0:3478"), on(Transport::udp, "[::]:3479")},
       "stun:192.0.2.1:3478",
       "turn:192.0.2.1:3478?transport=udp"},
      {"2001:db8::1",
       {on(Transport::udp, "0.0.0.0:3478"), on(Transport::udp, "[::]:3479")},
       "stun:[2001:db8::1]:3479",
       "turn:[2001:db8::1]:3479?transport=udp"},
      {"2001:DB8:0::1", {on(Transport::tls, "[::]:443")}, "", "turns:[2001:db8::1]:443?transport=tcp"},
      {"192.0.2.1", {on(Transport::udp, "[::]:3478")}, "", ""},
      {"2001:db8::1", {on(Transport::tcp, "0.0.0.0:3478")}, "", ""},
      {"192.0.2.1", {}, "", ""},
      {"192.0.2.1", {on(Transport::dtls, "0.0.0.0:5349")}, "", ""},  // which no browser speaks
  };
  for (const Case& c : cases) {
    CAPTURE(c.host);
    const IceServers asked(params(c.listeners));
    CHECK(stun(asked, c.host) == c.stun);
    CHECK(turn(asked, c.host) == c.turn);
    IceParams p = params(c.listeners);
    p.host = c.host;
    CHECK(stun(IceServers(p)) == c.stun);
    CHECK(turn(IceServers(p)) == c.turn);
  }
  // A Host header has an IPv6 address in brackets.
  CHECK(turn(IceServers(params(kAll)), "[2001:db8::1]") == turn(IceServers(params(kAll)), "2001:db8::1"));
}

TEST_CASE("a listener on an address of its own is found there, not where the request went", "[signaling]") {
  IceParams p = params({on(Transport::udp, "10.0.0.5:3478"), on(Transport::udp, "[2001:db8::5]:3478"),
                        on(Transport::tcp, "0.0.0.0:3478"), on(Transport::udp, "10.0.0.6:3478")});
  SECTION("by a name") {
    CHECK(turn(IceServers(p), "asked.example") ==
          "turn:10.0.0.5:3478?transport=udp turn:[2001:db8::5]:3478?transport=udp "
          "turn:10.0.0.6:3478?transport=udp turn:asked.example:3478?transport=tcp");
  }
  SECTION("by a literal of either family") {
    CHECK(stun(IceServers(p), "2001:db8::9") ==
          "stun:10.0.0.5:3478 stun:[2001:db8::5]:3478 stun:10.0.0.6:3478");
  }
  SECTION("but for an operator's name") {
    p.host = "turn.example.org";
    CHECK(turn(IceServers(p)) ==
          "turn:turn.example.org:3478?transport=udp turn:turn.example.org:3478?transport=tcp");
  }
  SECTION("and for an operator's address of one family") {
    p.host = "198.51.100.7";
    CHECK(turn(IceServers(p)) == "turn:198.51.100.7:3478?transport=udp turn:198.51.100.7:3478?transport=tcp");
  }
  SECTION("under its advertised address where it has one") {
    p.advertise = {{address("10.0.0.5"), address("198.51.100.7")}};
    CHECK(turn(IceServers(p), "asked.example") ==
          "turn:198.51.100.7:3478?transport=udp turn:[2001:db8::5]:3478?transport=udp "
          "turn:10.0.0.6:3478?transport=udp turn:198.51.100.7:3478?transport=tcp");
  }
}

TEST_CASE("ports are those of the listeners, in the order of these", "[signaling]") {
  IceParams p = params({on(Transport::tcp, "0.0.0.0:443"), on(Transport::udp, "0.0.0.0:53"),
                        on(Transport::udp, "0.0.0.0:3478"), on(Transport::tcp, "0.0.0.0:443"),
                        on(Transport::tls, "0.0.0.0:65535")});
  p.host = "t";
  CHECK(turn(IceServers(p)) ==
        "turn:t:53?transport=udp turn:t:3478?transport=udp turn:t:443?transport=tcp "
        "turns:t:65535?transport=tcp");
  CHECK(stun(IceServers(p)) == "stun:t:53 stun:t:3478");
}

TEST_CASE("the entries are those of an RTCConfiguration", "[signaling]") {
  const IceCredentials credentials{"1735693200:ann", "pass\"word", {}};
  const auto entries = [&](std::initializer_list<Listener> listeners) {
    return boost::json::serialize(IceServers(params(listeners)).entries("t", credentials));
  };
  CHECK(entries({on(Transport::udp, "0.0.0.0:1"), on(Transport::tcp, "0.0.0.0:2")}) ==
        R"([{"urls":["stun:t:1"]},)"
        R"({"urls":["turn:t:1?transport=udp","turn:t:2?transport=tcp"],)"
        R"("username":"1735693200:ann","credential":"pass\"word"}])");
  // Without UDP, nobody answers a STUN URL.
  CHECK(entries({on(Transport::tls, "0.0.0.0:2")}) ==
        R"([{"urls":["turns:t:2?transport=tcp"],"username":"1735693200:ann","credential":"pass\"word"}])");
  CHECK(entries({}) == "[]");
}

TEST_CASE("credentials are what the relay takes, to the second", "[signaling]") {
  IceParams p = params(kAll);
  p.lifetime = 90s;
  IceServers servers(p);
  CHECK(servers.lifetime() == 90s);
  constexpr WallTime kNow{std::chrono::seconds(1'735'689'600)};
  crypto::Digester digester;
  for (const Duration past : {0ms, 1ms, 500ms, 999ms}) {
    const IceCredentials credentials = servers.mint("ann", kNow + past);
    CHECK(credentials.expires == kNow + 90s);
    CHECK(credentials.username == "1735689690:ann");
    CHECK(credentials.password == auth::rest_password(digester, "north", credentials.username));
  }
  CHECK(servers.mint("ann", kNow + 1s).username == "1735689691:ann");
  const IceCredentials odd = servers.mint("a:b \u00e9", kNow);
  CHECK(auth::parse_rest_name(odd.username)->user == "a:b \u00e9");
  CHECK(servers.mint("ann", kNow).password != servers.mint("bob", kNow).password);
}

// Returns the hosts of the TURN URLs that a client gets, in their order.
std::string told_hosts(IceServers& servers) {
  std::string hosts;
  for (const std::string& url : servers.choose_urls("own").turn) {
    const std::string host = url.substr(5, url.find(':', 5) - 5);
    if (!hosts.ends_with(host)) hosts += (hosts.empty() ? "" : " ") + host;
  }
  return hosts;
}

OtherNode node(const std::string& host, double load) {
  return {{"stun:" + host + ":3478"}, {"turn:" + host + ":3478?transport=udp"}, load, 0};
}

TEST_CASE("in a cluster clients are told of two nodes: this one while it is not busy, and a less loaded one",
          "[signaling]") {
  IceServers servers(params({on(Transport::udp, "0.0.0.0:3478")}));
  ScriptedRandom random;
  std::map<std::string, int> times;
  const auto ask = [&](double own_load, bool takes_clients, std::vector<OtherNode> others) {
    servers.set_nodes(std::move(others), {{}, {}, own_load, 0}, takes_clients, random);
    times.clear();
    for (int i = 0; i < 300; ++i) ++times[told_hosts(servers)];
  };
  ask(0, true, {});
  CHECK(times == std::map<std::string, int>{{"own", 300}});
  ask(0.5, true, {node("b", 0.1), node("c", 0.9)});
  CHECK(times.size() == 2);
  CHECK(times["own b"] > times["own c"]);
  CHECK(times["own c"] > 0);
  ask(0.9, true, {node("b", 0.1), node("c", 0.2)});
  CHECK(times["b c"] + times["b own"] > times["c b"] + times["c own"]);
  CHECK(times["own b"] + times["own c"] < 100);
  ask(0, false, {node("b", 0.1), node("c", 0.2)});
  CHECK(times["b c"] + times["c b"] == 300);
  ask(0, false, {node("b", 0.1)});
  CHECK(times == std::map<std::string, int>{{"b", 300}});
  ask(0.9, true, {node("b", 0.1)});
  CHECK(times["own b"] + times["b own"] == 300);
}

TEST_CASE("a time is written as in RFC 3339", "[signaling]") {
  const auto at = [](std::int64_t seconds) { return to_rfc3339(WallTime(std::chrono::seconds(seconds))); };
  CHECK(at(0) == "1970-01-01T00:00:00Z");
  CHECK(at(1'735'689'599) == "2024-12-31T23:59:59Z");
  CHECK(at(1'735'689'600) == "2025-01-01T00:00:00Z");
  CHECK(at(1'709'208'000) == "2024-02-29T12:00:00Z");
  CHECK(at(1'795'182'300) == "2026-11-20T13:45:00Z");
  CHECK(at(253'402'300'799) == "9999-12-31T23:59:59Z");
  CHECK(at(-1) == "1969-12-31T23:59:59Z");
  CHECK(to_rfc3339(WallTime(1'735'689'599'999ms)) == "2024-12-31T23:59:59Z");
}

TEST_CASE("a guest is called by its network, and alike on all nodes that have a common secret",
          "[signaling]") {
  IceParams south = params(kAll);
  south.secret = "south";
  IceServers one{params(kAll)};
  IceServers other{south};
  const IpAddress guest = address("2001:db8::1");
  const auto names_of = [&](const IpAddress& client) {
    return std::pair(one.quota_user("", client), other.quota_user("", client));
  };
  CHECK(names_of(guest).first != names_of(guest).second);
  CHECK(names_of(address("2001:db8::2")) == names_of(guest));
  CHECK(one.quota_user("ann", guest) == "ann");
  for (IceServers* node : {&one, &other}) node->set_name_secret("common");
  CHECK(names_of(guest).first == names_of(guest).second);
  CHECK(names_of(address("2001:db8:0:1::1")).first != names_of(guest).first);
}

}  // namespace
}  // namespace turnpike::signaling
