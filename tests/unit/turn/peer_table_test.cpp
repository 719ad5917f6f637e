#include "turnpike/turn/peer_table.hpp"

#include <catch2/catch.hpp>

#include "support/request_maker.hpp"

namespace turnpike::turn {
namespace {

using namespace std::chrono_literals;
using stun::ChannelNumber;
using test::address;
using test::endpoint;

constexpr SteadyTime kNow{Duration(24h)};
constexpr RelayId kRelay{3};
constexpr std::size_t kAll = 1'000'000;

ChannelNumber channel(std::uint16_t number) { return *ChannelNumber::from_wire(number); }

TEST_CASE("a permission lives 300 s from its last grant", "[turn]") {
  PeerTable peers;
  const IpAddress peer = address("5.6.7.8");
  CHECK_FALSE(peers.find_permission(peer, kNow));
  peers.permit(peer, Reach::allowed, kNow);
  CHECK(peers.find_permission(peer, kNow + 300s - 1ms));
  CHECK_FALSE(peers.find_permission(peer, kNow + 300s));
  CHECK_FALSE(peers.find_permission(address("5.6.7.9"), kNow));
  peers.permit(peer, Reach::relays_only, kNow + 200s);
  REQUIRE(peers.find_permission(peer, kNow + 499s));
  CHECK(peers.find_permission(peer, kNow + 499s)->reach == Reach::relays_only);
  CHECK(peers.next_expiry() == kNow + 500s);
  peers.purge(kNow + 499s, kAll);
  CHECK(peers.permissions() == 1);
  peers.purge(kNow + 500s, kAll);
  CHECK(peers.permissions() == 0);
  CHECK(peers.next_expiry() == SteadyTime::max());
}

TEST_CASE("a channel lives 600 s and carries data while its permission lives", "[turn]") {
  PeerTable peers;
  const Endpoint peer = endpoint("5.6.7.8:9");
  peers.bind(channel(0x4000), peer, kRelay, Reach::allowed, kNow);
  CHECK(peers.find_channel(peer) == peers.find_channel(channel(0x4000)));
  CHECK_FALSE(peers.find_channel(endpoint("5.6.7.8:10")));
  const ChannelBinding& binding = *peers.find_channel(channel(0x4000));
  CHECK(binding.relay == kRelay);
  CHECK(binding.carries_data(kNow + 299s));
  CHECK_FALSE(binding.carries_data(kNow + 300s));
  CHECK(peers.find_permission(peer.address, kNow + 299s));
  CHECK(peers.next_expiry() == kNow + 300s);
  peers.permit(peer.address, Reach::relays_only, kNow + 310s);
  CHECK(binding.reach() == Reach::relays_only);
  CHECK(peers.next_expiry() == kNow + 600s);
  CHECK(binding.carries_data(kNow + 599s));
  CHECK_FALSE(binding.carries_data(kNow + 600s));
  peers.purge(kNow + 600s, kAll);
  CHECK(peers.channels() == 0);
  CHECK_FALSE(peers.find_channel(peer));
  CHECK(peers.permissions() == 1);
}

TEST_CASE("binding again restarts both lifetimes", "[turn]") {
  PeerTable peers;
  const Endpoint peer = endpoint("5.6.7.8:9");
  peers.bind(channel(0x4000), peer, kRelay, Reach::allowed, kNow);
  peers.bind(channel(0x4000), peer, kRelay, Reach::allowed, kNow + 299s);
  CHECK(peers.channels() == 1);
  CHECK(peers.find_channel(channel(0x4000))->carries_data(kNow + 598s));
  CHECK(peers.next_expiry() == kNow + 599s);
}

TEST_CASE("a permission is for all channels of its address and for no other", "[turn]") {
  PeerTable peers;
  peers.bind(channel(0x4000), endpoint("5.6.7.8:1"), kRelay, Reach::allowed, kNow);
  peers.bind(channel(0x4001), endpoint("5.6.7.8:2"), kRelay, Reach::allowed, kNow + 100s);
  peers.bind(channel(0x4002), endpoint("5.6.7.9:1"), kRelay, Reach::allowed, kNow);
  CHECK(peers.find_channel(channel(0x4000))->carries_data(kNow + 399s));
  CHECK_FALSE(peers.find_channel(channel(0x4002))->carries_data(kNow + 300s));
  CHECK(peers.permissions() == 2);
}

TEST_CASE("one family can be removed alone", "[turn]") {
  PeerTable peers;
  DiscardedPermissions discarded;
  peers.bind(channel(0x4000), endpoint("5.6.7.8:1"), kRelay, Reach::allowed, kNow);
  peers.bind(channel(0x4001), endpoint("[2a00::1]:1"), RelayId{4}, Reach::allowed, kNow);
  peers.permit(address("2a00::2"), Reach::allowed, kNow);
  peers.remove_family(Family::ipv6, discarded);
  CHECK(peers.channels() == 1);
  CHECK(peers.permissions() == 1);
  CHECK(peers.find_channel(channel(0x4000)));
  CHECK_FALSE(peers.find_channel(endpoint("[2a00::1]:1")));
  peers.remove_family(Family::ipv4, discarded);
  CHECK(peers.channels() == 0);
  CHECK(peers.permissions() == 0);
  CHECK(peers.next_expiry() == SteadyTime::max());
}

}  // namespace
}  // namespace turnpike::turn
