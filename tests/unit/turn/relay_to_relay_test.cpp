// Clients of this server that reach each other by their relayed addresses. Every script is played twice: with
// the short way, past the kernel, and with the long way, where the scenario's kernel carries datagrams from
// one relayed address to the other. Both must look the same to clients, in counters and in lists of
// allocations.
#include <catch2/catch.hpp>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;

// A scenario, and what was seen in it so far, one line for each event.
class Seen : public Scenario {
 public:
  explicit Seen(const Setup& setup) : Scenario(setup) {}

  Outcome sends(const RequestMaker& request) { return note(client_sends(request)); }
  Outcome sends(const Octets& message, const Client& from) { return note(client_sends(message, from)); }
  Outcome note(Outcome outcome) {
    for (const auto& m : outcome.to_clients) {
      lines_.push_back(m.tuple.client.to_string() + " by " + std::string(to_string(m.tuple.transport)) +
                       " gets " + shown(m.message));
    }
    for (const auto& m : outcome.to_peers) {
      lines_.push_back(m.relayed.to_string() + " to " + m.peer.to_string() + ": " +
                       shown(as_bytes(m.payload)) + (m.dont_fragment ? " DF" : ""));
    }
    for (const auto& l : outcome.lifetimes) {
      lines_.push_back("allocation " + std::to_string(l.number) + ", event " +
                       std::to_string(static_cast<int>(l.kind)) + ": " + std::to_string(l.rx_packets) + "/" +
                       std::to_string(l.rx_bytes) + " " + std::to_string(l.tx_packets) + "/" +
                       std::to_string(l.tx_bytes) + " " + std::to_string(l.dropped_packets));
    }
    lines_.push_back("limits met: " + std::to_string(outcome.limits_reached));
    return outcome;
  }

  const std::vector<std::string>& lines() {
    for (unsigned worker = 0; worker < setup().workers; ++worker) add_books(worker);
    return lines_;
  }
  std::uint64_t by_the_short_way() const {
    std::uint64_t count = 0;
    for (unsigned worker = 0; worker < setup().workers; ++worker) {
      count += counters(worker).relay_to_relay + counters(worker).relay_to_worker;
    }
    return count;
  }

 private:
  // Shows a short payload as a whole.
  static std::string shown(Bytes bytes) {
    std::string text = std::to_string(bytes.size()) + " octets ";
    if (bytes.size() > 2000) return text + std::to_string(SipHash<1, 3>::hash({1, 2}, bytes));
    for (const std::uint8_t octet : bytes) text += std::to_string(octet) + ",";
    return text;
  }

  void add_books(unsigned worker) {
    for (const auto& row : kCounterList<Counters>) {
      if (row.counter == &Counters::relay_to_relay || row.counter == &Counters::relay_to_worker) continue;
      lines_.push_back(std::string(row.name) + ": " + std::to_string(counters(worker).*row.counter));
    }
    for (const TransportCounters& by : server(worker).breakdown().transports) {
      for (const Traffic& traffic : {by.from_clients, by.to_clients}) {
        lines_.push_back(std::to_string(traffic.packets) + " packets, " + std::to_string(traffic.bytes) +
                         " bytes");
      }
    }
    std::vector<AllocationInfo> list = server(worker).list_allocations(now());
    std::ranges::sort(list, {}, &AllocationInfo::number);
    for (const AllocationInfo& a : list) {
      lines_.push_back(std::to_string(a.number) + ": " + std::to_string(a.rx_packets) + "/" +
                       std::to_string(a.rx_bytes) + " " + std::to_string(a.tx_packets) + "/" +
                       std::to_string(a.tx_bytes) + " " + std::to_string(a.dropped_packets) + ", " +
                       std::to_string(a.permissions) + " permissions, " + std::to_string(a.channels));
    }
  }

  std::vector<std::string> lines_;
};

// Plays the script both ways and compares them. Returns how many datagrams went the short way.
std::uint64_t play(Setup setup, const std::function<void(Seen&)>& script) {
  setup.has_kernel = true;
  setup.short_way = false;
  Seen by_the_long_way(setup);
  script(by_the_long_way);
  REQUIRE(by_the_long_way.by_the_short_way() == 0);
  setup.short_way = true;
  Seen by_the_short_way(setup);
  script(by_the_short_way);
  const auto& expected = by_the_long_way.lines();
  const auto& lines = by_the_short_way.lines();
  for (std::size_t i = 0; i < std::min(expected.size(), lines.size()); ++i) REQUIRE(lines[i] == expected[i]);
  REQUIRE(lines.size() == expected.size());
  return by_the_short_way.by_the_short_way();
}

const std::string kOne = "192.0.2.1:50000";  // the relayed address of client 1
const std::string kTwo = "192.0.2.1:50001";

// Both clients have an allocation, and a permission for each other.
void meet(Seen& s, const Client& one = client(1), const Client& two = client(2)) {
  s.sends(allocate().from(one)).expect_success();
  s.sends(allocate().from(two)).expect_success();
  s.sends(create_permission(kTwo).from(one)).expect_success();
  s.sends(create_permission(kOne).from(two)).expect_success();
}

TEST_CASE("relay to relay: by permissions and by channels", "[turn][relay to relay]") {
  const auto went = play({}, [](Seen& s) {
    meet(s);
    s.sends(send(kTwo, "one").from(client(1))).expect_data_from(kOne, "one").expect_to(client(2));
    s.sends(send(kOne, "two").from(client(2))).expect_data_from(kTwo, "two").expect_to(client(1));
    s.sends(channel_bind(0x4001, kTwo)).expect_success();
    s.sends(channel_data(0x4001, "three"), client(1)).expect_data_from(kOne, "three").expect_to(client(2));
    s.sends(send(kOne, "four").from(client(2))).expect_channel_data(0x4001, "four").expect_to(client(1));
    s.sends(channel_bind(0x4002, kOne).from(client(2))).expect_success();
    s.sends(channel_data(0x4001, "five"), client(1)).expect_channel_data(0x4002, "five");
    s.sends(channel_data(0x4002, ""), client(2)).expect_channel_data(0x4001, "");
  });
  CHECK(went == 6);
}

TEST_CASE("relay to relay: each side needs a permission for the other", "[turn][relay to relay]") {
  play({}, [](Seen& s) {
    s.sends(allocate()).expect_success();
    s.sends(allocate().from(client(2))).expect_success();
    s.sends(send(kTwo, "nobody has one")).expect_silence();
    s.sends(create_permission(kTwo)).expect_success();
    s.sends(send(kTwo, "the receiver has none")).expect_silence();
    s.sends(send(kOne, "the sender has none").from(client(2))).expect_silence();
    CHECK(s.counters().to_peer == 1);
    CHECK(s.counters().to_peer_refused == 2);
    CHECK(s.counters().to_client_refused == 1);
    s.sends(create_permission(kOne).from(client(2))).expect_success();
    s.sends(send(kTwo, "both have one")).expect_to(client(2));
    // Permissions end after 300 s, each at its own time.
    s.advance(200s);
    for (const unsigned n : {1U, 2U}) s.sends(refresh(600s).from(client(n))).expect_success();
    s.sends(create_permission(kTwo)).expect_success();
    s.advance(150s);
    s.sends(send(kTwo, "the receiver's has expired")).expect_silence();
    s.sends(send(kOne, "the sender's has expired").from(client(2))).expect_silence();
    // Channels end too, and then data of the peer comes in Data indications.
    s.sends(channel_bind(0x4002, kOne).from(client(2))).expect_success();
    s.sends(send(kTwo, "x")).expect_channel_data(0x4002, "x");
    for (int i = 0; i < 3; ++i) {
      s.advance(250s);
      for (const unsigned n : {1U, 2U}) s.sends(refresh(600s).from(client(n))).expect_success();
      s.sends(create_permission(kTwo)).expect_success();
      s.sends(create_permission(kOne).from(client(2))).expect_success();
    }
    s.sends(send(kTwo, "x")).expect_data_from(kOne, "x");
  });
}

TEST_CASE("relay to relay: on two workers", "[turn][relay to relay]") {
  Setup setup;
  setup.workers = 2;
  const auto went = play(setup, [](Seen& s) {
    const Client one = client(1, 0);
    const Client two = client(2, 1);
    meet(s, one, two);
    s.sends(send(kTwo, "one").from(one)).expect_data_from(kOne, "one").expect_to(two);
    s.sends(channel_bind(0x4002, kOne).from(two)).expect_success();
    s.sends(send(kTwo, "two").from(one)).expect_channel_data(0x4002, "two").expect_to(two);
    s.sends(channel_data(0x4002, ""), two).expect_data_from(kTwo, "").expect_to(one);
    s.advance(299s);
    s.sends(create_permission(kTwo).from(one)).expect_success();
    s.advance(1s);
    s.sends(send(kTwo, "the receiver's has expired").from(one)).expect_silence();
    CHECK(s.counters(1).to_client_refused == 1);
    s.sends(refresh(0s).from(two)).expect_success();
    s.sends(send(kTwo, "gone").from(one)).expect_silence();
    CHECK(s.counters(0).to_peer_refused == 1);
    s.sends(allocate().from(client(3, 0))).expect_success();  // has the port now, on the worker of the other
    s.sends(create_permission(kOne).from(client(3, 0))).expect_success();
    s.sends(send(kTwo, "x").from(one)).expect_to(client(3));
  });
  CHECK(went == 5);
}

TEST_CASE("relay to relay: a datagram may reach another worker too late", "[turn][relay to relay]") {
  Setup setup;
  setup.workers = 2;
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  Output out;
  s.server().on_relayed(endpoint(kTwo), endpoint(kOne), as_bytes("late"), s.now(), out);
  CHECK(out.to_clients().empty());
  CHECK(s.counters().to_client_refused == 0);
}

TEST_CASE("relay to relay: a client may talk to itself", "[turn][relay to relay]") {
  const auto went = play({}, [](Seen& s) {
    s.sends(allocate()).expect_success();
    s.sends(channel_bind(0x4000, kOne)).expect_success();
    s.sends(channel_data(0x4000, "hello"), client(1)).expect_channel_data(0x4000, "hello");
  });
  CHECK(went == 1);
}

TEST_CASE("relay to relay: clients may use any transport", "[turn][relay to relay]") {
  for (const Transport from : {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
    for (const Transport to : {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
      CAPTURE(to_string(from), to_string(to));
      const auto went = play({}, [&](Seen& s) {
        const Client one = client_on(from, 1);
        const Client two = client_on(to, 2);
        meet(s, one, two);
        for (const std::size_t size : {0, 1, 2, 3, 4, 160, 1199})
          s.sends(send(kTwo, std::string(size, 'x')).from(one)).expect_to(two);
        s.sends(channel_bind(0x4001, kTwo).from(one)).expect_success();
        s.sends(channel_bind(0x4002, kOne).from(two)).expect_success();
        for (const std::size_t size : {0, 1, 2, 3, 4, 160, 1199})
          s.sends(channel_data(0x4001, std::string(size, 'x')), one).expect_to(two);
      });
      CHECK(went == 14);
    }
  }
}

TEST_CASE("relay to relay: all sizes pass, with and without DONT-FRAGMENT", "[turn][relay to relay]") {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    CAPTURE(family);
    const auto went = play({}, [&](Seen& s) {
      const Client one = client_on(Transport::tcp, 1);
      const Client two = client_on(Transport::tcp, 2);
      s.sends(allocate().family(family).from(one)).expect_success();
      s.sends(allocate().family(family).from(two)).expect_success();
      const std::string first = s.relayed(one, family).to_string();
      const std::string second = s.relayed(two, family).to_string();
      s.sends(channel_bind(0x4001, second).from(one)).expect_success();
      s.sends(channel_bind(0x4002, first).from(two)).expect_success();
      for (const std::size_t size : {1472, 1473, 9000, 65'487, 65'488}) {
        const std::string payload(size, 'x');
        s.sends(send(second, payload).from(one)).expect_channel_data(0x4002, payload);
        s.sends(send(second, payload).dont_fragment().from(one)).expect_channel_data(0x4002, payload);
        s.sends(channel_data(0x4001, payload), one).expect_channel_data(0x4002, payload);
      }
      // Only the kernel knows what happens to these.
      for (const std::size_t size : {65'489, 65'507, 65'508, 65'527, 65'528}) {
        s.sends(channel_data(0x4001, std::string(size, 'x')), one);
        if (size < 65'500) s.sends(send(second, std::string(size, 'x')).dont_fragment().from(one));
      }
    });
    CHECK(went == 15);
  }
}

TEST_CASE("relay to relay: each family reaches only its own", "[turn][relay to relay]") {
  const auto went = play({}, [](Seen& s) {
    s.sends(allocate().additional_family(Family::ipv6)).expect_success();
    s.sends(allocate().additional_family(Family::ipv6).from(client(2))).expect_success();
    const Endpoint six = s.relayed(client(2), Family::ipv6);
    const Endpoint own_six = s.relayed(client(1), Family::ipv6);
    s.sends(create_permission(kTwo).peer(six)).expect_success();
    s.sends(create_permission(kOne).peer(own_six).from(client(2))).expect_success();
    s.sends(send(kTwo, "x")).expect_data_from(kOne, "x");
    s.sends(send(six.to_string(), "x")).expect_data_from(own_six.to_string(), "x");
    // One of two families ends, and the other one stays.
    s.sends(refresh(0s).family(Family::ipv4).from(client(2))).expect_success();
    s.sends(send(kTwo, "x")).expect_silence();
    s.sends(send(six.to_string(), "x")).expect_data_from(own_six.to_string(), "x");
    s.sends(refresh(0s).family(Family::ipv6)).expect_success();
    s.sends(send(six.to_string(), "x")).expect_silence();
  });
  CHECK(went == 3);
}

TEST_CASE("relay to relay: both addresses of a 1:1 NAT can be used", "[turn][relay to relay]") {
  Setup setup;
  setup.relays.v4 = address("10.0.0.5");
  setup.relays.advertise = {{address("10.0.0.5"), address("198.51.100.7")}};
  const auto went = play(setup, [](Seen& s) {
    s.sends(allocate()).expect_success();
    s.sends(allocate().from(client(2))).expect_success();
    s.sends(create_permission("198.51.100.7:1")).expect_success();
    s.sends(create_permission("10.0.0.5:1").from(client(2))).expect_success();
    s.sends(send("198.51.100.7:50001", "x")).expect_data_from("198.51.100.7:50000", "x");
    s.sends(send("10.0.0.5:50001", "x")).expect_data_from("198.51.100.7:50000", "x");
    s.sends(channel_bind(0x4001, "198.51.100.7:50001")).expect_success();
    s.sends(channel_bind(0x4002, "10.0.0.5:50000").from(client(2))).expect_success();
    s.sends(channel_data(0x4001, "x"), client(1)).expect_channel_data(0x4002, "x");
    s.sends(channel_data(0x4002, "x"), client(2)).expect_channel_data(0x4001, "x");
  });
  CHECK(went == 4);
}

TEST_CASE("relay to relay: limits on octets apply", "[turn][relay to relay][limits]") {
  const auto limit = GENERATE(&Limits::bytes_per_second, &Limits::bytes_per_second_per_user,
                              &Limits::bytes_per_second_per_allocation);
  Setup setup;
  setup.limits.*limit = 20'000;
  play(setup, [](Seen& s) {
    meet(s);
    std::size_t passed = 0;
    for (int i = 0; i < 400; ++i) {
      s.advance(10ms);
      passed += s.sends(send(kTwo, std::string(1000, 'x'))).to_clients.size();
      if (i % 5 == 0) s.sends(send(kOne, std::string(500, 'x')).from(client(2)));
    }
    CHECK(passed > 20);
    CHECK(passed < 100);
  });
}

TEST_CASE("relay to relay: a receiver may have ended", "[turn][relay to relay]") {
  const bool is_open_altogether = GENERATE(false, true);
  Setup setup;
  if (is_open_altogether) setup.peers.allow = {{address("192.0.2.1"), 32}};
  const auto went = play(setup, [&](Seen& s) {
    meet(s);
    s.sends(send(kTwo, "x")).expect_to(client(2));
    s.sends(refresh(0s).from(client(2))).expect_success();
    // When other ports of the address are open too, the datagram goes out, and an ICMP error of the kernel
    // may come back.
    const Outcome late = s.sends(send(kTwo, "late"));
    if (is_open_altogether) {
      late.expect_sent(kTwo, "late");
      s.note(s.icmp_arrives(kTwo, {3, 3, 0})).expect_icmp(kTwo, {3, 3, 0});
    } else {
      late.expect_silence();
    }
    s.sends(allocate().from(client(3))).expect_success();  // has the port now
    s.sends(send(kTwo, "x")).expect_silence();             // but no permission
    s.sends(create_permission(kOne).from(client(3))).expect_success();
    s.sends(send(kTwo, "x")).expect_to(client(3));
  });
  CHECK(went == 3);
}

TEST_CASE("relay to relay: an allocation that has expired gets nothing, even before it is removed",
          "[turn][relay to relay]") {
  play({}, [](Seen& s) {
    meet(s);
    s.advance(500s);
    s.sends(refresh(600s)).expect_success();
    s.sends(create_permission(kTwo)).expect_success();
    s.advance_asleep(100s);
    s.sends(send(kTwo, "late")).expect_silence();
    s.note(s.advance(1s)).expect_expired();
    s.sends(send(kTwo, "later")).expect_silence();
  });
}

TEST_CASE("relay to relay: a relayed address of TCP gets no datagram", "[turn][relay to relay]") {
  Setup setup;
  setup.tcp_relay = true;
  const auto went = play(setup, [](Seen& s) {
    const Client stream = client_on(Transport::tcp, 2);
    s.sends(allocate()).expect_success();
    s.sends(allocate_tcp().from(stream)).expect_success();
    s.sends(create_permission(kTwo)).expect_success();
    s.sends(create_permission(kOne).from(stream)).expect_success();
    s.sends(send(kTwo, "x")).expect_silence();
    s.sends(send(kOne, "x").from(stream)).expect_silence();
  });
  CHECK(went == 0);
}

TEST_CASE("relay to relay: changes by the operator apply", "[turn][relay to relay]") {
  const auto went = play({}, [](Seen& s) {
    meet(s);
    s.sends(send(kTwo, "x")).expect_to(client(2));
    // During a drain, no new clients are admitted, and the others continue.
    s.note(s.settings_become(s.setup().auth, s.setup().limits, true));
    s.sends(send(kTwo, "x")).expect_to(client(2));
    PeerPolicy::Params policy = s.policy();
    policy.peers.allow = {{address("192.0.2.1"), 32}};
    s.note(s.policy_becomes(policy));
    s.sends(send(kTwo, "x")).expect_to(client(2));
    policy.peers.allow.clear();
    policy.peers.deny = {{address("192.0.2.1"), 32}};
    s.note(s.policy_becomes(policy));
    s.sends(send(kTwo, "x")).expect_silence();
    s.note(s.policy_becomes({.peers = {}, .own_addresses = {address("192.0.2.1")}}));
    s.sends(create_permission(kTwo)).expect_success();
    s.note(s.policy_becomes({.peers = {}, .own_addresses = {}}));  // the address is no longer this machine's
    s.sends(create_permission(kTwo)).expect_error(403);
    s.sends(send(kTwo, "x")).expect_silence();
  });
  CHECK(went == 3);
}

// The kernel refuses to send from an address that is no longer here, and so does the short way.
TEST_CASE("relay to relay: an address that this machine has lost is left to the kernel",
          "[turn][relay to relay]") {
  Setup setup;
  setup.peers.allow = {{address("192.0.2.1"), 32}};
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  s.client_sends(allocate().from(client(2))).expect_success();
  s.client_sends(create_permission(kTwo)).expect_success();
  s.client_sends(create_permission(kOne).from(client(2))).expect_success();
  s.client_sends(send(kTwo, "before")).expect_data_from(kOne, "before").expect_to(client(2));
  s.host().lose(address("192.0.2.1"));
  s.client_sends(send(kTwo, "after")).expect_sent(kTwo, "after");
}

TEST_CASE("relay to relay: clients may move", "[turn][relay to relay][mobility]") {
  for (const unsigned worker : {0U, 1U}) {
    CAPTURE(worker);
    Setup setup;
    setup.mobility = true;
    setup.workers = 2;
    const auto went = play(setup, [&](Seen& s) {
      const std::string ticket = s.sends(allocate_mobile()).expect_success().ticket();
      s.sends(allocate().from(client(2))).expect_success();
      s.sends(create_permission(kTwo)).expect_success();
      s.sends(channel_bind(0x4000, kOne).from(client(2))).expect_success();
      const Client after = client(3, worker);
      s.sends(refresh_with(ticket).from(after)).expect_success();
      // The former path is used until data arrives on the new one; here this is relayed data.
      s.sends(channel_data(0x4000, "x"), client(2)).expect_to(client(1));
      s.sends(send(kTwo, "x").from(after)).expect_channel_data(0x4000, "x").expect_to(client(2));
      s.sends(channel_data(0x4000, "x"), client(2)).expect_data_from(kTwo, "x").expect_to(after);
    });
    CHECK(went == 3);
  }
}

// --- Random scripts

// What clients may do to each other, and events around them.
class Chance {
 public:
  Chance(Seen& s, unsigned seed) : s_(s), dice_(seed) {}

  void step() {
    const Client who = any_client();
    switch (below(24)) {
      case 0:
      case 1: s_.sends(an_allocate().from(who)); return;
      case 2: s_.sends(refresh(once_in(4) ? 0s : 600s).from(who)); return;
      case 3:
      case 4:
      case 5: s_.sends(create_permission("192.0.2.1:1").peer("[2001:db8::1]:1").from(who)); return;
      case 6:
      case 7:
        s_.sends(channel_bind(static_cast<std::uint16_t>(0x4000 + below(4)), a_peer()).from(who));
        return;
      case 8: s_.note(s_.advance(std::chrono::seconds(below(60)))); return;
      case 9: s_.advance_asleep(std::chrono::seconds(below(3))); return;
      case 10:
        if (once_in(3)) change_policy();
        return;
      case 11:
        if (once_in(3)) change_limits();
        return;
      case 12:
        if (once_in(4)) s_.note(s_.client_closes(who));
        return;
      default: break;
    }
    const std::string payload(a_size(), static_cast<char>('a' + below(26)));
    if (below(2) == 0) {
      s_.sends(channel_data(static_cast<std::uint16_t>(0x4000 + below(4)), payload), who);
    } else {
      RequestMaker request = send(a_peer(), payload.substr(0, 65'496));
      s_.sends((below(4) == 0 ? request.dont_fragment() : request).from(who));
    }
  }

 private:
  unsigned below(unsigned bound) { return static_cast<unsigned>(dice_() % bound); }
  bool once_in(unsigned times) { return below(times) == 0; }

  // Returns clients of all transports, so that each transport is present.
  Client any_client() {
    const unsigned n = below(5);
    Client who = client_on(static_cast<Transport>(n % 4), n + 1);
    who.worker = n % s_.setup().workers;
    return who;
  }
  RequestMaker an_allocate() {
    const unsigned kind = below(8);
    if (kind > 4) return allocate().additional_family(Family::ipv6);
    return kind == 2 ? allocate_tcp() : allocate();
  }
  std::string a_peer() {
    if (once_in(12)) return "5.6.7.8:9";
    const std::string port = std::to_string(50000 + below(6));
    return (once_in(3) ? "[2001:db8::1]:" : "192.0.2.1:") + port;
  }
  std::size_t a_size() {
    constexpr std::size_t kSizes[] = {0,    1,    2,    3,      10,     100,    200,
                                      1200, 1200, 9000, 65'488, 65'489, 65'507, 65'508};
    return kSizes[below(std::size(kSizes))];
  }
  void change_policy() {
    PeerPolicy::Params policy = s_.policy();
    policy.peers = {};
    const Prefix own = once_in(2) ? Prefix{address("192.0.2.1"), 32} : Prefix{address("2001:db8::1"), 128};
    if (once_in(2)) (once_in(3) ? policy.peers.deny : policy.peers.allow) = {own};
    s_.note(s_.policy_becomes(policy));
  }
  void change_limits() {
    Limits limits = s_.setup().limits;
    if (once_in(4)) limits.bytes_per_second_per_allocation = 50'000;
    if (once_in(4)) limits.bytes_per_second_per_user = 50'000;
    if (once_in(4)) limits.bytes_per_second = 50'000;
    s_.note(s_.settings_become(s_.setup().auth, limits));
  }

  Seen& s_;
  std::mt19937 dice_;
};

TEST_CASE("relay to relay: nobody sees the difference, whatever happens", "[turn][relay to relay]") {
  const unsigned workers = GENERATE(1U, 2U);
  std::uint64_t went = 0;
  for (unsigned seed = 1; seed <= 8; ++seed) {
    CAPTURE(workers, seed);
    Setup setup;
    setup.workers = workers;
    setup.tcp_relay = true;
    went += play(setup, [&](Seen& s) {
      Chance chance(s, seed);
      for (int i = 0; i < 300; ++i) chance.step();
    });
  }
  CHECK(went > 40);
}

}  // namespace
}  // namespace turnpike::turn
