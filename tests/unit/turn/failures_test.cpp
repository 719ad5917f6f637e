// Replays every request with each call of RelayPorts failing in turn: nothing leaks, the quota is returned,
// and after the failure everything works again.
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;

// Plays a story. When a request is refused because a port failed, the story skips what depends on it. Returns
// whether all requests succeeded.
using Story = std::function<bool(Scenario&)>;

int code_of(const Outcome& outcome) {
  return stun::decode_error_code(outcome.find(stun::AttributeType::error_code).value())->code;
}

// Returns true for success. An error must be one that a lack of addresses or ports explains.
bool granted(const Outcome& outcome) {
  if (succeeds(outcome)) return true;
  CHECK((code_of(outcome) == 440 || code_of(outcome) == 508));
  CHECK(outcome.count(Output::Lifetime::Kind::created) == 0);
  return false;
}

bool plain(Scenario& s) {
  if (!granted(s.client_sends(allocate()))) return false;
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  s.client_sends(channel_data(0x4000, "x")).expect_sent("5.6.7.8:1", "x");
  s.client_sends(refresh(0s)).expect_success();
  return true;
}

bool six(Scenario& s) {
  if (!granted(s.client_sends(allocate().family(Family::ipv6)))) return false;
  s.client_sends(refresh(0s)).expect_success();
  return true;
}

bool dual(Scenario& s) {
  const Outcome outcome = s.client_sends(allocate().additional_family(Family::ipv6));
  if (!granted(outcome)) return false;
  const std::size_t families = outcome.relayed().size();
  CHECK(outcome.has(stun::AttributeType::address_error_code) == (families == 1));
  CHECK(s.host().open_relays() == families);
  if (families == 2) s.client_sends(refresh(0s).family(Family::ipv4)).expect_success();
  s.client_sends(refresh(0s)).expect_success();
  return families == 2;
}

bool even(Scenario& s) {
  if (!granted(s.client_sends(allocate().even_port(false)))) return false;
  CHECK(s.host().reservations() == 0);
  s.client_sends(refresh(0s)).expect_success();
  return true;
}

bool reserve_and_claim(Scenario& s) {
  const Outcome first = s.client_sends(allocate().even_port(true));
  if (!granted(first)) {
    CHECK(s.host().reservations() == 0);
    return false;
  }
  const Outcome second = s.client_sends(allocate().claiming(first.token()).from(client(2)));
  const bool claimed = granted(second);
  if (claimed) s.client_sends(refresh(0s).from(client(2))).expect_success();
  s.client_sends(refresh(0s)).expect_success();
  s.advance(30s);
  return claimed;
}

bool until_expiry(Scenario& s) {
  if (!granted(s.client_sends(allocate().even_port(true)))) return false;
  s.advance(600s).expect_expired();
  return true;
}

bool three_clients(Scenario& s) {
  bool all = true;
  for (unsigned i = 1; i <= 3; ++i) all = granted(s.client_sends(allocate().from(client(i)))) && all;
  for (unsigned i = 1; i <= 3; ++i) s.client_sends(refresh(0s).from(client(i)));
  return all;
}

TEST_CASE("whichever port fails, nothing is lost and everything recovers", "[turn]") {
  const std::pair<std::string, Story> stories[] = {{"plain", plain},
                                                   {"IPv6", six},
                                                   {"dual", dual},
                                                   {"even", even},
                                                   {"reserve and claim", reserve_and_claim},
                                                   {"until expiry", until_expiry},
                                                   {"three clients", three_clients}};
  for (const auto& [name, story] : stories) {
    for (const RelayError error : {RelayError::no_address, RelayError::no_port, RelayError::no_reservation}) {
      unsigned failing = 1;
      for (bool reached = true; reached; ++failing) {
        CAPTURE(name, static_cast<int>(error), failing);
        Setup setup;
        setup.relays.first_port = 50000;
        setup.relays.last_port = 50003;
        setup.limits.allocations = 3;
        setup.limits.allocations_per_user = 3;
        Scenario s(setup);
        s.host().fail_call(failing, error);
        const bool all_went_well = story(s);
        reached = s.host().calls() >= failing;
        CHECK(all_went_well == !reached);
        s.expect_no_allocation();
        CHECK(s.host().reservations() == 0);
        s.host().stop_failing();
        // The story runs twice, since a leak shows only when the leaked port is needed again.
        CHECK(story(s));
        CHECK(story(s));
        s.expect_no_allocation();
        CHECK(s.host().reservations() == 0);
      }
      CHECK(failing > 2);
    }
  }
}

TEST_CASE("a server that can open no port stays consistent", "[turn]") {
  Setup setup;
  setup.limits.allocations_per_user = 2;  // one allocation, and the port above it that it may reserve
  Scenario s(setup);
  for (const RelayError error : {RelayError::no_port, RelayError::no_address, RelayError::no_reservation}) {
    s.host().fail_every_call(error);
    for (int i = 0; i < 10; ++i) {
      s.client_sends(allocate()).expect_error(error == RelayError::no_address ? 440 : 508);
      s.client_sends(allocate().even_port(true)).expect_error(error == RelayError::no_address ? 440 : 508);
      s.client_sends(allocate().additional_family(Family::ipv6))
          .expect_error(error == RelayError::no_address ? 440 : 508);
      s.expect_no_allocation();
    }
    s.client_sends(binding()).expect_success();
  }
  s.host().stop_failing();
  s.client_sends(allocate()).expect_success();
}

TEST_CASE("a relay number is used again and never confused with its former owner", "[turn]") {
  Scenario s;
  for (int i = 0; i < 5; ++i) {
    s.client_sends(allocate()).expect_success();
    s.client_sends(create_permission("5.6.7.8:1")).expect_success();
    s.client_sends(allocate().from(client(2))).expect_success();
    s.client_sends(refresh(0s)).expect_success();
    s.client_sends(allocate().from(client(3))).expect_success();  // has client 1's relay number now
    s.peer_sends("5.6.7.8:1", "x", s.relayed(client(3))).expect_silence();
    s.client_sends(create_permission("5.6.7.8:1").from(client(3))).expect_success();
    s.peer_sends("5.6.7.8:1", "x", s.relayed(client(3)))
        .expect_data_from("5.6.7.8:1", "x")
        .expect_to(client(3));
    s.peer_sends("5.6.7.8:1", "x", s.relayed(client(2))).expect_silence();
    s.client_sends(refresh(0s).from(client(2))).expect_success();
    s.client_sends(refresh(0s).from(client(3))).expect_success();
  }
  s.expect_no_allocation();
}

}  // namespace
}  // namespace turnpike::turn
