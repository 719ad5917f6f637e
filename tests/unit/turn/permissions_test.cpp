// CreatePermission and ChannelBind (RFC 8656 §10 and §12).
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using stun::AttributeType;
using stun::Method;

Setup with_limits(std::uint32_t permissions, std::uint32_t channels) {
  Setup setup;
  setup.limits.permissions_per_allocation = permissions;
  setup.limits.channels_per_allocation = channels;
  return setup;
}

RequestMaker permitting(const std::vector<std::string>& peers) {
  RequestMaker ask = create_permission();
  for (const std::string& peer : peers) ask.peer(peer);
  return ask;
}

TEST_CASE("a relay is prepared for data by the first permission or channel", "[turn]") {
  for (const RequestMaker& first : {create_permission("5.6.7.8:0"), channel_bind(0x4000, "5.6.7.8:1000")}) {
    Scenario s;
    s.client_sends(allocate()).expect_success();
    s.client_sends(create_permission("127.0.0.1:1000")).expect_error(403);
    CHECK(s.host().prepared_relays() == 0);
    s.client_sends(first).expect_success();
    CHECK(s.host().prepared_relays() == 1);
  }
}

TEST_CASE("a permission is for an address, whatever the port", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(send("5.6.7.8:1000", "x")).expect_silence();
  s.peer_sends("5.6.7.8:1000", "x").expect_silence();
  s.client_sends(create_permission("5.6.7.8:0")).expect_success();
  for (const std::string peer : {"5.6.7.8:1", "5.6.7.8:1000", "5.6.7.8:65535"}) {
    s.client_sends(send(peer, "there")).expect_sent(peer, "there");
    s.peer_sends(peer, "back").expect_data_from(peer, "back");
  }
  s.client_sends(send("5.6.7.9:1000", "x")).expect_silence();
  s.peer_sends("5.6.7.9:1000", "x").expect_silence();
  CHECK(s.counters().to_peer == 3);
  CHECK(s.counters().to_peer_refused == 2);
  CHECK(s.counters().to_client == 3);
  CHECK(s.counters().to_client_refused == 2);
}

TEST_CASE("a permission ends after 300 s, and neither data nor Refresh moves that", "[turn]") {
  Scenario s;
  s.client_sends(allocate().lifetime(3600s)).expect_success();
  s.client_sends(create_permission("5.6.7.8:1")).expect_success();
  s.advance(299s);
  s.client_sends(send("5.6.7.8:1", "x")).expect_sent("5.6.7.8:1", "x");
  s.peer_sends("5.6.7.8:1", "y").expect_data_from("5.6.7.8:1", "y");
  s.client_sends(refresh(3600s)).expect_success();
  SECTION("with the timer") { s.advance(1s); }
  SECTION("before the timer") { s.advance_asleep(1s); }
  s.client_sends(send("5.6.7.8:1", "x")).expect_silence();
  s.peer_sends("5.6.7.8:1", "y").expect_silence();
  s.client_sends(create_permission("5.6.7.8:2")).expect_success();
  s.advance(200s);
  s.client_sends(create_permission("5.6.7.8:3")).expect_success();  // refreshed
  s.advance(299s);
  s.client_sends(send("5.6.7.8:1", "x")).expect_sent("5.6.7.8:1", "x");
  s.advance(1s);
  s.client_sends(send("5.6.7.8:1", "x")).expect_silence();
}

TEST_CASE("either all peers of a CreatePermission get a permission, or none", "[turn]") {
  struct Row {
    std::string what;
    RequestMaker ask;
    int code;
  };
  const Row table[] = {
      {"no peer", create_permission(), 400},
      {"a second one in a private network", permitting({"5.6.7.8:1", "10.0.0.1:1"}), 403},
      {"a first one in a private network", permitting({"10.0.0.1:1", "5.6.7.8:1"}), 403},
      {"loopback", permitting({"127.0.0.1:1"}), 403},
      {"this host", permitting({"0.0.0.0:1"}), 403},
      {"broadcast", permitting({"255.255.255.255:1"}), 403},
      {"a second one of the other family", permitting({"5.6.7.8:1", "[2a00::1]:1"}), 443},
      {"a mapped loopback, through an IPv4 relay", permitting({"[::ffff:127.0.0.1]:1"}), 443},
      {"a second one cut short",
       permitting({"5.6.7.8:1"}).raw(AttributeType::xor_peer_address, std::string(7, '\1')), 400},
      {"a second one of a family nobody knows",
       permitting({"5.6.7.8:1"})
           .raw(AttributeType::xor_peer_address, std::string_view("\0\3\1\1\1\1\1\1", 8)),
       400},
      {"an IPv6 peer in eight octets",
       permitting({"5.6.7.8:1"})
           .raw(AttributeType::xor_peer_address, std::string_view("\0\2\1\1\1\1\1\1", 8)),
       400},
      {"an IPv4 peer in twenty",
       permitting({"5.6.7.8:1"})
           .raw(AttributeType::xor_peer_address, std::string_view("\0\1", 2).data() + std::string(18, 'x')),
       400},
      {"an empty one", permitting({"5.6.7.8:1"}).raw(AttributeType::xor_peer_address, ""), 400},
  };
  for (const Row& row : table) {
    CAPTURE(row.what);
    Scenario s;
    s.client_sends(allocate()).expect_success();
    s.client_sends(row.ask).expect_error(row.code).signed_by_server();
    s.client_sends(send("5.6.7.8:1", "x")).expect_silence();
    s.peer_sends("5.6.7.8:1", "x").expect_silence();
  }
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(permitting({"5.6.7.8:1", "5.6.7.9:1", "5.6.7.8:2"})).expect_success();
  s.client_sends(send("5.6.7.9:1", "x")).expect_sent("5.6.7.9:1", "x");
  // A peer after the integrity attribute gets no permission.
  s.client_sends(permitting({"5.6.7.8:1"}).behind_integrity([](auto& b) {
     b.add_xor_address(AttributeType::xor_peer_address, endpoint("5.6.7.10:1"));
   })).expect_success();
  s.client_sends(send("5.6.7.10:1", "x")).expect_silence();
}

TEST_CASE("an IPv6 relay reaches only allowed IPv6 peers", "[turn]") {
  Scenario s;
  s.client_sends(allocate().family(Family::ipv6)).expect_success();
  const auto relayed = endpoint("[2001:db8::1]:50000");
  s.client_sends(create_permission("[2a00::1]:1")).expect_success();
  s.client_sends(send("[2a00::1]:1", "x")).expect_sent("[2a00::1]:1", "x");
  s.peer_sends("[2a00::1]:1", "y", relayed).expect_data_from("[2a00::1]:1", "y");
  for (const std::string peer :
       {"[::ffff:127.0.0.1]:1", "[::ffff:8.8.8.8]:1", "[::127.0.0.1]:1", "[::1]:1", "[::]:1",
        "[64:ff9b::a00:1]:1", "[fe80::1]:1", "[fd00::1]:1", "[ff02::1]:1", "[2002:a00:1::]:1"}) {
    CAPTURE(peer);
    s.client_sends(create_permission(peer)).expect_error(403);
    s.client_sends(channel_bind(0x4000, peer)).expect_error(403);
    s.client_sends(send(peer, "x")).expect_silence();
  }
  s.client_sends(create_permission("5.6.7.8:1")).expect_error(443);
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_error(443);
  s.client_sends(send("5.6.7.8:1", "x")).expect_silence();
}

TEST_CASE("an allocation has at most as many permissions as its limit", "[turn]") {
  Scenario s(with_limits(3, 0));
  s.client_sends(allocate().lifetime(3600s)).expect_success();
  s.client_sends(permitting({"5.0.0.1:1", "5.0.0.2:1"})).expect_success();
  s.client_sends(permitting({"5.0.0.3:1", "5.0.0.4:1"})).expect_error(508);
  s.client_sends(send("5.0.0.3:1", "x")).expect_silence();
  // One address counts once, however often the request contains it.
  s.client_sends(permitting({"5.0.0.3:1", "5.0.0.3:2", "5.0.0.3:3", "5.0.0.1:9"})).expect_success();
  s.client_sends(permitting({"5.0.0.1:1", "5.0.0.2:1", "5.0.0.3:1"})).expect_success();
  s.client_sends(channel_bind(0x4000, "5.0.0.4:1")).expect_error(508);
  s.client_sends(channel_bind(0x4000, "5.0.0.1:1")).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_sent("5.0.0.1:1", "x");
  s.advance(299s);
  s.client_sends(permitting({"5.0.0.1:1"})).expect_success();
  s.advance(1s);
  s.client_sends(permitting({"5.0.0.5:1", "5.0.0.6:1"})).expect_success();
  s.client_sends(permitting({"5.0.0.7:1"})).expect_error(508);
  s.advance_asleep(300s);  // what has ended counts no more, even before the timer
  s.client_sends(permitting({"5.0.0.8:1", "5.0.0.9:1", "5.0.0.10:1"})).expect_success();
}

TEST_CASE("an allocation has at most as many channels as its limit", "[turn]") {
  Scenario s(with_limits(0, 2));
  s.client_sends(allocate().lifetime(3600s)).expect_success();
  s.client_sends(channel_bind(0x4000, "5.0.0.1:1")).expect_success();
  s.client_sends(channel_bind(0x4001, "5.0.0.1:2")).expect_success();
  s.client_sends(channel_bind(0x4002, "5.0.0.1:3")).expect_error(508);
  s.client_sends(channel_bind(0x4000, "5.0.0.1:1")).expect_success();
  s.client_sends(create_permission("5.0.0.9:1")).expect_success();
  s.advance(600s);
  s.client_sends(channel_bind(0x4002, "5.0.0.1:3")).expect_success();
}

TEST_CASE("a channel belongs to one number and one peer", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  struct Row {
    std::string what;
    RequestMaker ask;
    int code;
  };
  const Row table[] = {
      {"the same again", channel_bind(0x4000, "5.6.7.8:1"), 0},
      {"another peer", channel_bind(0x4000, "5.6.7.9:1"), 400},
      {"another port is another peer", channel_bind(0x4000, "5.6.7.8:2"), 400},
      {"another number", channel_bind(0x4001, "5.6.7.8:1"), 400},
      {"the first number that was", channel_bind(0x3FFF, "5.6.7.9:1"), 400},
      {"one that RFC 8656 has no more", channel_bind(0x5000, "5.6.7.9:1").sha256(), 400},
      {"the last of them", channel_bind(0x7FFF, "5.6.7.9:1").sha256(), 400},
      {"one above them", channel_bind(0x8000, "5.6.7.9:1"), 400},
      {"0", channel_bind(0, "5.6.7.9:1"), 400},
      {"0xFFFF", channel_bind(0xFFFF, "5.6.7.9:1"), 400},
      {"no number", request(Method::channel_bind).peer("5.6.7.9:1"), 400},
      {"no peer", request(Method::channel_bind).channel(0x4001), 400},
      {"a number of two octets",
       request(Method::channel_bind).raw(AttributeType::channel_number, "\x40\x01").peer("5.6.7.9:1"), 400},
      {"a peer cut short",
       request(Method::channel_bind).channel(0x4001).raw(AttributeType::xor_peer_address, "1234"), 400},
      {"port 0", channel_bind(0x4001, "5.6.7.9:0"), 400},
      {"a private network", channel_bind(0x4001, "10.0.0.1:1"), 403},
      {"our own listener", channel_bind(0x4001, "192.0.2.1:3478"), 403},
      {"the other family", channel_bind(0x4001, "[2a00::1]:1"), 443},
      {"the last number", channel_bind(0x4FFF, "5.6.7.9:1"), 0},
  };
  for (const Row& row : table) {
    CAPTURE(row.what);
    const Outcome outcome = s.client_sends(row.ask);
    if (row.code == 0)
      outcome.expect_success();
    else
      outcome.expect_error(row.code).signed_by_server();
  }
  s.client_sends(channel_data(0x4000, "a")).expect_sent("5.6.7.8:1", "a");
  s.client_sends(channel_data(0x4FFF, "b")).expect_sent("5.6.7.9:1", "b");
  s.client_sends(channel_data(0x4001, "c")).expect_silence();
  // Another client has channel numbers of its own.
  s.client_sends(allocate().from(client(2))).expect_success();
  s.client_sends(channel_data(0x4000, "d"), client(2)).expect_silence();
  s.client_sends(channel_bind(0x4000, "5.6.7.9:1").from(client(2))).expect_success();
  s.client_sends(channel_data(0x4000, "d"), client(2)).expect_sent("5.6.7.9:1", "d");
}

// RFC 5766 §11 had numbers up to 0x7FFF. A client that signs as in RFC 5389 may still use them.
TEST_CASE("a client of RFC 5389 may use the channel numbers of RFC 5766", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  std::uint16_t port = 1;
  for (const std::uint16_t number : {0x5000, 0x6001, 0x7FFF}) {
    const std::string peer = "5.6.7.8:" + std::to_string(port++);
    s.client_sends(channel_data(number, "x")).expect_silence();
    s.client_sends(channel_bind(number, peer)).expect_success();
    s.client_sends(channel_data(number, "x")).expect_sent(peer, "x");
    s.peer_sends(peer, "y").expect_channel_data(number, "y");
  }
}

TEST_CASE("a refused ChannelBind grants nothing", "[turn]") {
  Scenario s(with_limits(1, 1));
  s.client_sends(allocate()).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.9:1")).expect_error(400);
  s.client_sends(channel_bind(0x4001, "5.6.7.10:1")).expect_error(508);
  for (const std::string peer : {"5.6.7.9:1", "5.6.7.10:1"}) {
    s.client_sends(send(peer, "x")).expect_silence();
    s.peer_sends(peer, "x").expect_silence();
  }
}

TEST_CASE("a channel lives 600 s and its permission 300 s", "[turn]") {
  Scenario s;
  s.client_sends(allocate().lifetime(3600s)).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();

  SECTION("the permission ends first") {
    s.advance(299s);
    s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
    s.client_sends(send("5.6.7.8:9", "x")).expect_sent("5.6.7.8:9", "x");
    s.peer_sends("5.6.7.8:1", "y").expect_channel_data(0x4000, "y");
    SECTION("with the timer") { s.advance(1s); }
    SECTION("before the timer") { s.advance_asleep(1s); }
    s.client_sends(channel_data(0x4000, "x")).expect_silence();
    s.client_sends(send("5.6.7.8:1", "x")).expect_silence();
    s.peer_sends("5.6.7.8:1", "y").expect_silence();
    // The channel still exists: it cannot be given to another peer, and a new permission makes it usable
    // again.
    s.client_sends(channel_bind(0x4000, "5.6.7.9:1")).expect_error(400);
    s.client_sends(create_permission("5.6.7.8:0")).expect_success();
    s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
    s.peer_sends("5.6.7.8:1", "y").expect_channel_data(0x4000, "y");
    s.advance(299s);
    s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
  }
  SECTION("the channel ends first, and data comes as indications") {
    s.advance(290s);
    s.client_sends(create_permission("5.6.7.8:0")).expect_success();
    s.advance(289s);
    s.client_sends(create_permission("5.6.7.8:0")).expect_success();
    s.advance(20s);
    s.peer_sends("5.6.7.8:1", "y").expect_channel_data(0x4000, "y");
    SECTION("with the timer") { s.advance(1s); }
    SECTION("before the timer") { s.advance_asleep(1s); }
    s.client_sends(channel_data(0x4000, "x")).expect_silence();
    s.client_sends(send("5.6.7.8:1", "x")).expect_sent("5.6.7.8:1", "x");
    s.peer_sends("5.6.7.8:1", "y").expect_data_from("5.6.7.8:1", "y");
    // The number and the peer are free.
    s.client_sends(channel_bind(0x4000, "5.6.7.9:1")).expect_success();
    s.client_sends(channel_bind(0x4001, "5.6.7.8:1")).expect_success();
    s.peer_sends("5.6.7.8:1", "y").expect_channel_data(0x4001, "y");
    s.peer_sends("5.6.7.9:1", "y").expect_channel_data(0x4000, "y");
  }
  SECTION("binding again restarts both") {
    s.advance(299s);
    s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
    s.advance(299s);
    s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
    s.client_sends(create_permission("5.6.7.8:0")).expect_success();
    s.advance(299s);
    s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
    s.advance(1s);
    s.client_sends(create_permission("5.6.7.8:0")).expect_success();
    s.advance(1s);  // 600 s after the second ChannelBind and one more
    s.client_sends(channel_data(0x4000, "x")).expect_silence();
  }
  SECTION("data keeps nothing alive") {
    for (int i = 0; i < 30; ++i) {
      s.advance(10s - 1ms);
      s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
      s.peer_sends("5.6.7.8:1", "y").expect_channel_data(0x4000, "y");
    }
    s.advance(30ms);
    s.client_sends(channel_data(0x4000, "x")).expect_silence();
    s.peer_sends("5.6.7.8:1", "y").expect_silence();
  }
  SECTION("another channel of the address does not keep this one") {
    s.advance(200s);
    s.client_sends(channel_bind(0x4001, "5.6.7.8:2")).expect_success();
    s.advance(200s);  // the permission was refreshed along with it
    s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
    s.advance(200s);
    s.client_sends(create_permission("5.6.7.8:0")).expect_success();
    s.client_sends(channel_data(0x4000, "x")).expect_silence();
    s.client_sends(channel_data(0x4001, "x")).expect_sent("5.6.7.8:2", "x");
  }
}

TEST_CASE("next_deadline() is the time at which the next entry ends", "[turn]") {
  Scenario s;
  const auto waits = [&] { return s.next_deadline() - s.now().steady; };
  CHECK(s.next_deadline() == SteadyTime::max());
  s.client_sends(allocate().lifetime(3600s)).expect_success();
  CHECK(waits() == 3600s);
  s.client_sends(create_permission("5.6.7.8:1")).expect_success();
  CHECK(waits() == 300s);
  s.advance(300s);
  CHECK(waits() == 3300s);  // the permission has expired
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  CHECK(waits() == 300s);
  s.advance(300s);
  CHECK(waits() == 300s);  // the channel
  s.client_sends(allocate().even_port(true).from(client(2))).expect_success();
  CHECK(waits() == 30s);
  s.advance(30s);
  CHECK(waits() == 270s);
  s.client_sends(refresh(0s)).expect_success();
  s.client_sends(refresh(0s).from(client(2))).expect_success();
  CHECK(s.next_deadline() == SteadyTime::max());
}

TEST_CASE("permissions and channels end with their allocation", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  s.client_sends(refresh(0s)).expect_success();
  s.client_sends(allocate()).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_silence();
  s.client_sends(send("5.6.7.8:1", "x")).expect_silence();
  s.peer_sends("5.6.7.8:1", "y").expect_silence();
  s.client_sends(channel_bind(0x4001, "5.6.7.8:1")).expect_success();
}

TEST_CASE("all channel numbers can be bound together", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  for (std::uint16_t i = 0; i < 4096; i = static_cast<std::uint16_t>(i + 17))
    s.client_sends(channel_bind(static_cast<std::uint16_t>(0x4000 + i), "5.6.7.8:" + std::to_string(1 + i)))
        .expect_success();
  s.client_sends(channel_data(0x4000 + 17 * 240, "x")).expect_sent("5.6.7.8:4081", "x");
  s.peer_sends("5.6.7.8:18", "y").expect_channel_data(0x4011, "y");
  s.client_sends(refresh(0s)).expect_success();
}

TEST_CASE("peers are allowed and denied as the operator's lists say", "[turn]") {
  Setup setup;
  setup.peers.allow = {{address("10.20.0.0"), 16}};
  setup.peers.deny = {{address("5.6.7.0"), 24}};
  Scenario s(setup);
  s.client_sends(allocate()).expect_success();
  s.client_sends(create_permission("10.20.3.4:1")).expect_success();
  s.client_sends(create_permission("10.21.3.4:1")).expect_error(403);
  s.client_sends(create_permission("5.6.7.8:1")).expect_error(403);
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_error(403);
  s.client_sends(channel_bind(0x4000, "10.20.3.4:1")).expect_success();
}

TEST_CASE("the end of an allocation tells how many addresses ever had a permission", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  s.client_sends(create_permission("5.6.7.8:1").peer("5.6.7.8:2")).expect_success();
  s.client_sends(create_permission("5.6.7.9:1")).expect_success();
  s.client_sends(create_permission("5.6.7.9:1")).expect_success();
  CHECK(s.client_sends(refresh(0s)).lifetimes.at(0).peers == 2);
}

}  // namespace
}  // namespace turnpike::turn
