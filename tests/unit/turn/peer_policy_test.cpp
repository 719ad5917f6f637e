#include "turnpike/turn/peer_policy.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"

namespace turnpike::turn {

namespace {

using test::address;
using test::endpoint;

using Texts = std::vector<std::string_view>;

Prefix prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  return {address(text.substr(0, slash)),
          static_cast<std::uint8_t>(std::stoi(std::string(text.substr(slash + 1))))};
}

std::vector<Prefix> prefixes(const Texts& texts) {
  std::vector<Prefix> all;
  for (const std::string_view text : texts) all.push_back(prefix(text));
  return all;
}

PeerPolicy policy(const Texts& allow = {}, const Texts& deny = {}, const Texts& own = {},
                  const Texts& listeners = {}) {
  PeerPolicy::Params params{{prefixes(allow), prefixes(deny)}, {}, {}};
  for (const std::string_view text : own) params.own_addresses.push_back(address(text));
  for (const std::string_view text : listeners) params.listeners.push_back(endpoint(text));
  return PeerPolicy(std::move(params));
}

TEST_CASE("the secure default, IPv4: the ends of each range and what lies beside them", "[turn]") {
  struct Range {
    std::string_view first, last, before, after;  // the two outside are open
  };
  const Range table[] = {
      {"0.0.0.0", "0.255.255.255", "", "1.0.0.0"},
      {"10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
      {"100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
      {"127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
      {"169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
      {"172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
      {"192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"},
      {"192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
      {"192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
      {"192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
      {"198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
      {"198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
      {"203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
      {"224.0.0.0", "255.255.255.255", "223.255.255.255", ""},  // multicast and reserved
      {"239.255.255.255", "240.0.0.0", "", ""},
      {"168.63.129.16", "168.63.129.16", "168.63.129.15", "168.63.129.17"},
      {"169.254.169.254", "127.0.0.1", "8.8.8.8", "1.1.1.1"},
  };
  const PeerPolicy by_default = policy();
  for (const Range& range : table) {
    CAPTURE(range.first);
    CHECK(by_default.judge(address(range.first)) == Reach::denied);
    CHECK(by_default.judge(address(range.last)) == Reach::denied);
    if (!range.before.empty()) CHECK(by_default.judge(address(range.before)) == Reach::allowed);
    if (!range.after.empty()) CHECK(by_default.judge(address(range.after)) == Reach::allowed);
  }
}

TEST_CASE("the secure default, IPv6", "[turn]") {
  const PeerPolicy by_default = policy();
  const Texts open = {"2000::",
                      "2000::1",
                      "2001:200::",
                      "2001:4860:4860::8888",
                      "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                      "2001:db9::",
                      "2003::",
                      "2606:4700::1111",
                      "2a00:1450::1",
                      "3ffe::1",
                      "3fff:1000::",
                      "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
  for (const std::string_view text : open) {
    CAPTURE(text);
    CHECK(by_default.judge(address(text)) == Reach::allowed);
  }
  const Texts closed = {"::",
                        "::1",
                        "::2",
                        "::127.0.0.1",
                        "::8.8.8.8",
                        "::ffff:127.0.0.1",
                        "::ffff:8.8.8.8",
                        "::ffff:0:8.8.8.8",
                        "64:ff9b::8.8.8.8",
                        "64:ff9b::127.0.0.1",
                        "64:ff9b:1::1",
                        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
                        "100::1",
                        "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                        "2001::",
                        "2001:0:4136:e378::",  // Teredo
                        "2001:10::1",          // ORCHID
                        "2001:2::1",           // benchmarking
                        "2001:20::1",          // ORCHIDv2
                        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                        "2001:db8::",
                        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                        "2002::",
                        "2002:7f00:1::1",  // 6to4 of 127.0.0.1
                        "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                        "3fff::",
                        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                        "4000::",
                        "fc00::1",
                        "fd00::1",
                        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                        "fe80::1",
                        "febf::1",
                        "fec0::1",
                        "feff::1",
                        "ff00::",
                        "ff02::1",
                        "ff0e::1",
                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
  for (const std::string_view text : closed) {
    CAPTURE(text);
    CHECK(by_default.judge(address(text)) == Reach::denied);
  }
}

struct Ruled {
  std::string what;
  Texts allow, deny;
  std::vector<std::pair<std::string_view, Reach>> verdicts;
};

TEST_CASE("the operator's lists: the longest prefix wins, a tie allows", "[turn]") {
  constexpr auto yes = Reach::allowed;
  constexpr auto no = Reach::denied;
  constexpr auto here = Reach::own_allowed;
  const Ruled table[] = {
      {"a private network opened",
       {"10.20.0.0/16"},
       {},
       {{"10.20.0.0", yes}, {"10.20.255.255", yes}, {"10.19.255.255", no}, {"10.21.0.0", no}}},
      {"all of a default range: a tie", {"10.0.0.0/8"}, {}, {{"10.1.2.3", yes}, {"192.168.0.1", no}}},
      {"allowing everything opens nothing that a longer rule denies",
       {"0.0.0.0/0"},
       {},
       {{"8.8.8.8", yes},
        {"10.0.0.1", no},
        {"127.0.0.1", no},
        {"169.254.169.254", no},
        {"224.0.0.1", no},
        {"0.0.0.0", no},
        {"168.63.129.16", no}}},
      {"nor does it for IPv6",
       {"::/0"},
       {},
       {{"2a00::1", yes},
        {"::1", no},
        {"::", no},
        {"::ffff:127.0.0.1", no},
        {"::127.0.0.1", no},
        {"::ffff:0:127.0.0.1", no},
        {"64:ff9b::127.0.0.1", no},
        {"100::1", no},
        {"100:0:0:1::1", no},
        {"5f00::1", no},
        {"fc00::1", no},
        {"fd12::1", no},
        {"fe80::1", no},
        {"fec0::1", no},
        {"ff02::1", no},
        {"2001:db8::1", no},
        {"2002::1", no}}},
      {"a hole in a range that was opened",
       {"10.0.0.0/8"},
       {"10.1.0.0/16"},
       {{"10.1.0.1", no}, {"10.2.0.1", yes}}},
      {"a door in a hole",
       {"10.0.0.0/8", "10.1.2.3/32"},
       {"10.1.0.0/16"},
       {{"10.1.2.3", yes}, {"10.1.2.4", no}}},
      {"denying everything", {}, {"0.0.0.0/0", "::/0"}, {{"8.8.8.8", no}, {"2a00::1", yes}}},
      {"denying global unicast", {}, {"2000::/3"}, {{"2a00::1", no}}},
      {"one address denied", {}, {"8.8.8.8/32"}, {{"8.8.8.8", no}, {"8.8.8.9", yes}}},
      {"the same prefix in both", {"8.8.8.0/24"}, {"8.8.8.0/24"}, {{"8.8.8.8", yes}}},
      {"half of the Internet denied",
       {},
       {"128.0.0.0/1"},
       {{"127.255.255.255", no}, {"126.0.0.1", yes}, {"128.0.0.1", no}, {"200.0.0.1", no}}},
      {"loopback, if asked for",
       {"127.0.0.1/32", "::1/128"},
       {},
       {{"127.0.0.1", here}, {"127.0.0.2", no}, {"::1", here}}},
      {"a unique local network", {"fd12:3456::/32"}, {}, {{"fd12:3456::1", yes}, {"fd12:3457::1", no}}},
      {"all unique local addresses", {"fc00::/7"}, {}, {{"fd00::1", yes}, {"fe80::1", no}}},
      {"IPv4 rules say nothing of IPv6",
       {"0.0.0.0/1"},
       {"64.0.0.0/2"},
       {{"4000::1", no}, {"2a00::1", yes}, {"64.0.0.1", no}}},
      {"multicast stays closed",
       {"224.0.0.0/4", "ff00::/8", "239.1.2.3/32"},
       {},
       {{"239.1.2.3", no}, {"ff0e::1", no}}},
      {"broadcast stays closed",
       {"255.255.255.255/32", "240.0.0.0/4"},
       {},
       {{"255.255.255.255", no}, {"255.0.0.1", yes}, {"240.0.0.1", yes}}},
      {"unspecified stays closed", {"0.0.0.0/32", "0.0.0.0/8", "::/128"}, {}, {{"0.0.0.0", no}, {"::", no}}},
      {"embedded forms stay closed",
       {"::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "::ffff:8.8.8.8/128"},
       {},
       {{"::ffff:8.8.8.8", no},
        {"::8.8.8.8", no},
        {"64:ff9b::8.8.8.8", no},
        {"64:ff9b:1::8.8.8.8", no},
        {"64:ff9b:1:ffff::8.8.8.8", no}}},
  };
  for (const Ruled& row : table) {
    CAPTURE(row.what);
    const PeerPolicy ruled = policy(row.allow, row.deny);
    for (const auto& [peer, verdict] : row.verdicts) {
      CAPTURE(peer);
      CHECK(ruled.judge(address(peer)) == verdict);
    }
  }
}

bool matches(const Prefix& rule, const IpAddress& peer) {
  if (rule.address.family() != peer.family()) return false;
  for (unsigned i = 0; i < rule.length; ++i) {
    const auto bit = [&](const IpAddress& a) { return a.storage()[i / 8] >> (7 - i % 8) & 1; };
    if (bit(rule.address) != bit(peer)) return false;
  }
  return true;
}

// The rules have every length around a few addresses that the default leaves open. They are compared with a
// search through all of them.
TEST_CASE("the trie agrees with a search through the list", "[turn]") {
  test::ScriptedRandom random(5);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const unsigned bits = family == Family::ipv4 ? 32 : 128;
    const auto near_a_seed = [&](unsigned length) {
      std::array<std::uint8_t, 16> bytes{};
      bytes[0] = family == Family::ipv4 ? 20 : 0x2a;
      for (unsigned i = 1; i < bits / 8; ++i) bytes[i] = static_cast<std::uint8_t>(random.below(2) * 0xff);
      for (unsigned i = length; i < bits; ++i)
        bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] & ~(0x80u >> i % 8));
      return IpAddress::from_bytes(family, bytes);
    };
    for (int round = 0; round < 50; ++round) {
      PeerParams rules;
      for (int i = 0; i < 12; ++i) {
        const unsigned length = 6 + random.below(bits - 5);
        (random.below(2) ? rules.allow : rules.deny)
            .push_back({near_a_seed(length), static_cast<std::uint8_t>(length)});
      }
      const PeerPolicy ruled({rules, {}, {}});
      for (int i = 0; i < 50; ++i) {
        const IpAddress peer = near_a_seed(bits);
        int best = 5;
        bool allowed = true;
        for (const bool list_allows : {false, true}) {
          for (const Prefix& rule : list_allows ? rules.allow : rules.deny) {
            if (!matches(rule, peer) || rule.length < best) continue;
            if (rule.length > best || list_allows) allowed = list_allows;
            best = rule.length;
          }
        }
        CAPTURE(peer.to_string());
        const Reach reach = ruled.judge(peer);
        CHECK(opens_all_ports(reach) == allowed);
        CHECK((allowed || reach == Reach::denied));
      }
    }
  }
}

TEST_CASE("an address of this machine is closed except for relayed addresses", "[turn]") {
  const Texts own = {"192.0.2.1", "20.0.0.1", "10.0.0.5", "127.0.0.1", "::1", "2001:db8::1", "fe80::1"};
  const auto judge = [&](std::string_view peer, const Texts& allow = {}, const Texts& deny = {}) {
    return policy(allow, deny, own).judge(address(peer));
  };
  CHECK(judge("192.0.2.1") == Reach::relays_only);
  CHECK(judge("20.0.0.1") == Reach::relays_only);
  CHECK(judge("10.0.0.5") == Reach::relays_only);
  CHECK(judge("2001:db8::1") == Reach::relays_only);
  CHECK(judge("20.0.0.2") == Reach::allowed);
  CHECK(judge("10.0.0.6") == Reach::denied);
  // Only an exact rule opens more.
  CHECK(judge("10.0.0.5", {"10.0.0.0/8"}) == Reach::relays_only);
  CHECK(judge("10.0.0.5", {"10.0.0.4/31"}) == Reach::relays_only);
  CHECK(judge("10.0.0.5", {"10.0.0.5/32"}) == Reach::own_allowed);
  CHECK(judge("2001:db8::1", {"2001:db8::1/128"}) == Reach::own_allowed);
  CHECK(judge("20.0.0.1", {}, {"20.0.0.1/32"}) == Reach::denied);
  CHECK(judge("20.0.0.1", {}, {"20.0.0.0/8"}) == Reach::relays_only);
  // Loopback follows its own rules: it is closed unless the operator opens it.
  CHECK(judge("127.0.0.1") == Reach::denied);
  CHECK(judge("::1") == Reach::denied);
  CHECK(judge("127.0.0.1", {"127.0.0.0/8"}) == Reach::own_allowed);
  CHECK(judge("::1", {"::1/128"}) == Reach::own_allowed);
}

TEST_CASE("our own listeners are never peers", "[turn]") {
  const Texts own = {"20.0.0.1", "2a00::1"};
  const PeerPolicy wild = policy({"127.0.0.1/32", "20.0.0.1/32"}, {}, own, {"0.0.0.0:3478", "[::]:5349"});
  CHECK(wild.is_listener(endpoint("20.0.0.1:3478")));
  CHECK(wild.is_listener(endpoint("127.0.0.1:3478")));
  CHECK(wild.is_listener(endpoint("127.9.9.9:3478")));
  CHECK(wild.is_listener(endpoint("[2a00::1]:5349")));
  CHECK(wild.is_listener(endpoint("[::1]:5349")));
  CHECK_FALSE(wild.is_listener(endpoint("20.0.0.1:3479")));
  CHECK_FALSE(wild.is_listener(endpoint("20.0.0.2:3478")));
  CHECK_FALSE(wild.is_listener(endpoint("[2a00::1]:3478")));  // [::] is IPv6 only, and so is 0.0.0.0 IPv4
  CHECK_FALSE(wild.is_listener(endpoint("20.0.0.1:5349")));

  const PeerPolicy one = policy({}, {}, own, {"20.0.0.1:3478"});
  CHECK(one.is_listener(endpoint("20.0.0.1:3478")));
  CHECK_FALSE(one.is_listener(endpoint("127.0.0.1:3478")));
  CHECK_FALSE(policy().is_listener(endpoint("20.0.0.1:3478")));
}

// --- Addresses with an IPv4 address behind an ISATAP identifier (RFC 5214 §6.1)

TEST_CASE("an ISATAP address is as open as the IPv4 address in it", "[turn]") {
  const PeerPolicy by_default = policy();
  for (const std::string_view prefix : {"2a00:1:2:3", "2001:4860:0:1"}) {
    for (const std::string_view id : {":0:5efe:", ":200:5efe:"}) {
      for (const std::string_view closed :
           {"10.1.2.3", "127.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"}) {
        CAPTURE(prefix, id, closed);
        const IpAddress peer = address(std::string(prefix) + std::string(id) + std::string(closed));
        CHECK(by_default.judge(peer) == Reach::denied);
        CHECK(policy({"::/0", "2a00::/16"}).judge(peer) == Reach::denied);
        const std::string exact = peer.to_string() + "/128";
        CHECK(policy({exact}).judge(peer) == Reach::denied);
      }
      const IpAddress open = address(std::string(prefix) + std::string(id) + "8.8.8.8");
      CHECK(by_default.judge(open) == Reach::allowed);
      CHECK(policy({}, {"8.8.8.8/32"}).judge(open) == Reach::denied);
      CHECK(policy({}, {}, {"8.8.8.8"}).judge(open) == Reach::denied);  // this machine's own
    }
  }
  CHECK(by_default.judge(address("2a00:1:2:3:100:5efe:10.1.2.3")) == Reach::allowed);
  CHECK(by_default.judge(address("2a00:1:2:3:0:5eff:10.1.2.3")) == Reach::allowed);
  CHECK(policy({"10.0.0.0/8"}).judge(address("2a00:1:2:3:0:5efe:10.1.2.3")) == Reach::allowed);
}

// --- The networks of this machine's interfaces

PeerPolicy with_networks(const Texts& networks, const Texts& allow = {}, const Texts& deny = {},
                         const Texts& own = {}) {
  PeerPolicy::Params params{{prefixes(allow), prefixes(deny)}, {}, {}};
  for (const std::string_view text : own) params.own_addresses.push_back(address(text));
  params.networks = prefixes(networks);
  return PeerPolicy(std::move(params));
}

TEST_CASE("the IPv6 networks of this machine are closed", "[turn]") {
  const PeerPolicy office = with_networks({"2a00:1:2:3::/64"}, {}, {}, {"2a00:1:2:3::5"});
  CHECK(office.judge(address("2a00:1:2:3::6")) == Reach::denied);
  CHECK(office.judge(address("2a00:1:2:3:ffff:ffff:ffff:ffff")) == Reach::denied);
  CHECK(office.judge(address("2a00:1:2:4::6")) == Reach::allowed);
  CHECK(office.judge(address("2a00:1:2:3::5")) == Reach::relays_only);  // its own
  CHECK(office.closed_networks() == prefixes({"2a00:1:2:3::/64"}));
  CHECK(office.closed_network_of(address("2a00:1:2:3::6")) == prefix("2a00:1:2:3::/64"));
  CHECK_FALSE(office.closed_network_of(address("2a00:1:2:4::6")));
  CHECK_FALSE(office.closed_network_of(address("2a00:1:2:3::5")));
  CHECK_FALSE(office.closed_network_of(address("10.0.0.1")));
}

TEST_CASE("a network of this machine is opened by its own prefix, or by longer ones", "[turn]") {
  const IpAddress neighbour = address("2a00:1:2:3::6");
  const PeerPolicy opened = with_networks({"2a00:1:2:3::/64"}, {"2a00:1:2:3::/64"});
  CHECK(opened.judge(neighbour) == Reach::allowed);
  CHECK(opened.closed_networks().empty());
  const PeerPolicy wider = with_networks({"2a00:1:2:3::/64"}, {"2a00:1::/32", "::/0"});
  CHECK(wider.judge(neighbour) == Reach::denied);
  CHECK(wider.closed_network_of(neighbour) == prefix("2a00:1:2:3::/64"));
  const PeerPolicy longer = with_networks({"2a00:1:2:3::/64"}, {"2a00:1:2:3::/112"}, {"2a00:1:2:3::7/128"});
  CHECK(longer.judge(neighbour) == Reach::allowed);
  CHECK(longer.judge(address("2a00:1:2:3:1::6")) == Reach::denied);
  CHECK(longer.closed_network_of(address("2a00:1:2:3:1::6")) == prefix("2a00:1:2:3::/64"));
  CHECK_FALSE(longer.closed_network_of(address("2a00:1:2:3::7")));  // the operator's own rule
  CHECK_FALSE(with_networks({"2a00:1:2:3::/64"}, {}, {"2a00:1:2:3::/64"}).closed_network_of(neighbour));
}

TEST_CASE("only the networks of neighbours count as networks of this machine", "[turn]") {
  CHECK(with_networks({"2a00:1:2::/48"}).judge(address("2a00:1:2:9::1")) == Reach::denied);
  CHECK(with_networks({"2a00:1:2:3::8/127"}).judge(address("2a00:1:2:3::9")) == Reach::denied);
  // These are a provider's whole block, a single address, a network that is closed in any case, and IPv4,
  // whose neighbours have private addresses or are other servers.
  const PeerPolicy none = with_networks(
      {"2a00:1::/47", "2000::/3", "::/0", "2a00:1:2:3::5/128", "fe80::/64", "fd00:1::/64", "20.1.2.0/24"});
  CHECK(none.closed_networks().empty());
  for (const std::string_view open : {"2a00:1::1", "2a00:1:2:3::5", "2600::1", "20.1.2.3"})
    CHECK(none.judge(address(open)) == Reach::allowed);
  // An operator who allows private addresses therefore does not have to name each network.
  CHECK(with_networks({"fd00:1::/64"}, {"fc00::/7"}).judge(address("fd00:1::2")) == Reach::allowed);
}

// --- A local and an advertised address of the relay

TEST_CASE("an advertised address in a list means the address here", "[turn]") {
  const auto advertising = [](const Texts& allow, const Texts& deny) {
    PeerPolicy::Params params{{prefixes(allow), prefixes(deny)}, {address("10.0.0.5")}, {}};
    params.advertised = {{address("10.0.0.5"), address("198.51.100.7")},
                         {address("fd00::5"), address("2a00::7")},
                         {address("127.0.0.1"), address("198.51.100.8")}};
    return PeerPolicy(std::move(params));
  };
  const IpAddress own = address("10.0.0.5");
  CHECK(advertising({}, {}).judge(own) == Reach::relays_only);
  CHECK(advertising({"198.51.100.7/32"}, {}).judge(own) == Reach::own_allowed);
  CHECK(advertising({"10.0.0.5/32"}, {}).judge(own) == Reach::own_allowed);
  CHECK(advertising({}, {"198.51.100.7/32"}).judge(own) == Reach::denied);
  CHECK(advertising({}, {"10.0.0.5/32"}).judge(own) == Reach::denied);
  // An own address is opened only by an exact rule, which does not affect other addresses.
  CHECK(advertising({"198.51.100.0/24", "10.0.0.0/8"}, {}).judge(own) == Reach::relays_only);
  CHECK(advertising({"198.51.100.7/32"}, {}).judge(address("10.0.0.6")) == Reach::denied);
  CHECK(advertising({"2a00::7/128"}, {}).judge(address("fd00::5")) == Reach::allowed);
  // Loopback has its own rules.
  CHECK(advertising({"198.51.100.8/32"}, {}).judge(address("127.0.0.1")) == Reach::own_allowed);
  CHECK(advertising({"198.51.100.8/32"}, {}).judge(address("127.0.0.2")) == Reach::denied);
}

}  // namespace
}  // namespace turnpike::turn
