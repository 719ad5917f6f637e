// Replays every story with each allocation of memory failing in turn: the request is refused or lost, no
// table is left half written, and when everything has expired nothing is left.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>

#include "support/failing_new.hpp"
#include "support/scenario.hpp"

// These replace the operators of this program in each form that a sanitizer would otherwise bring itself. The
// server does not ask for memory of other alignments. When these are inlined, GCC takes std::free() for the
// wrong counterpart of new.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return turnpike::test::FailingNew::fails_now() ? nullptr : std::malloc(size != 0 ? size : 1);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* memory = operator new(size, std::nothrow);
  if (!memory) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace turnpike::turn {
namespace {

using namespace test;

// Each step may fail, so none expects anything. What does not fit to the earlier steps is skipped.
void permissions_and_channels(Scenario& s) {
  if (!succeeds(s.client_sends(allocate().additional_family(Family::ipv6)))) return;
  s.client_sends(create_permission("5.6.7.8:1").peer("5.6.7.9:1").peer("[2a00::1]:1"));
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1"));
  s.client_sends(channel_bind(0x4001, "5.6.7.10:1"));
  s.client_sends(channel_bind(0x4002, "[2a00::1]:1"));
  s.client_sends(channel_data(0x4000, "x"));
  s.advance(300s);
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1"));
  s.advance(299s);
  s.client_sends(channel_bind(0x4001, "5.6.7.11:1"));
  s.client_sends(refresh(0s).family(Family::ipv6));
  s.client_sends(refresh(600s));
}

void reservation(Scenario& s) {
  const Outcome first = s.client_sends(allocate().even_port(true));
  if (!succeeds(first)) return;
  s.client_sends(allocate().claiming(first.token()).from(client(2)));
  s.client_sends(refresh(0s));
}

void move(Scenario& s) {
  const Outcome first = s.client_sends(allocate_mobile());
  if (!succeeds(first)) return;
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1"));
  const Outcome second = s.client_sends(refresh_with(first.ticket()).from(client(2)));
  if (!succeeds(second)) return;
  s.client_sends(refresh_with(second.ticket()).from(client(2)));
  s.client_sends(channel_data(0x4000, "x"), client(2));
  s.client_sends(refresh(600s).from(client(2)));
}

void tcp_relay(Scenario& s) {
  if (!succeeds(s.client_sends(allocate_tcp().from(over_tcp(1))))) return;
  const std::uint32_t before = s.peers().last_id;
  const Outcome asked = s.client_sends(connect("5.6.7.8:80").from(over_tcp(1)));
  if (s.peers().last_id != before && asked.to_clients.empty()) {
    s.connection_ends_up(true, asked);
    s.client_sends(connection_bind(s.peers().last_id).from(over_tcp(2)));
  }
  s.client_sends(create_permission("5.6.7.9:1").from(over_tcp(1)));
  s.peer_connects("5.6.7.9:1", s.relayed(over_tcp(1)));
  s.client_closes(over_tcp(1));
}

TEST_CASE("wherever memory runs out, no table is left half written", "[turn][memory]") {
  struct Case {
    const char* what;
    std::function<void(Scenario&)> story;
  };
  const Case cases[] = {{"permissions and channels", permissions_and_channels},
                        {"a reservation", reservation},
                        {"a move", move},
                        {"TCP", tcp_relay}};
  for (const Case& c : cases) {
    unsigned n = 1;
    for (bool was_reached = true; was_reached; ++n) {
      INFO(c.what << ", allocation of memory number " << n);
      Setup setup;
      setup.mobility = setup.tcp_relay = true;
      setup.auth.nonce_lifetime = 12h;  // so that no step fetches another one
      Scenario s(setup);
      for (const Client& of : {client(1), client(2), over_tcp(1), over_tcp(2)}) s.nonce_of(of);
      FailingNew::fail(n);
      c.story(s);
      was_reached = !FailingNew::is_pending();
      FailingNew::fail(0);
      s.advance(4000s);
      s.expect_no_allocation();
      CHECK(s.peers().open.empty());
      CHECK(s.next_deadline() == SteadyTime::max());
      s.client_sends(allocate()).expect_success();
      s.client_sends(refresh(0s)).expect_success();
    }
    CHECK(n > 10);
  }
}

TEST_CASE("a request that there is no memory for is refused with 508", "[turn][memory]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  unsigned refused = 0;
  for (unsigned n = 1;; ++n) {
    FailingNew::fail(n);
    const Outcome outcome = s.client_sends(create_permission("5.6.7.8:1").peer("5.6.7.9:1"));
    const bool was_reached = !FailingNew::is_pending();
    FailingNew::fail(0);
    if (!was_reached) break;
    // The answer is signed, unless there was no memory to identify the sender.
    REQUIRE(outcome.to_clients.size() == 1);
    CHECK(stun::decode_error_code(outcome.find(stun::AttributeType::error_code).value())->code == 508);
    ++refused;
  }
  CHECK(refused > 0);
  CHECK(s.counters().out_of_memory == refused);
}

// What the former settings pointed to is freed after the reload, whatever its result was.
TEST_CASE("wherever memory runs out in a reload, the new settings hold", "[turn][memory]") {
  unsigned refused = 0;
  for (unsigned n = 1;; ++n) {
    INFO("allocation of memory number " << n);
    Setup setup;
    setup.tcp_relay = true;
    Scenario s(setup);
    s.client_sends(allocate()).expect_success();
    s.client_sends(allocate().as("bob").from(client(2))).expect_success();
    s.client_sends(allocate_tcp().from(over_tcp(3))).expect_success();
    s.client_sends(connect("5.6.7.8:80").from(over_tcp(3))).expect_silence();
    for (const Client& of : {client(4), over_tcp(3)}) s.nonce_of(of);
    auth::Params users = s.setup().auth;
    std::erase_if(users.users, [](const auth::UserParams& user) { return user.name == "bob"; });
    PeerPolicy::Params policy = s.policy();
    policy.peers.deny = {{address("5.6.7.8"), 32}};

    FailingNew::fail(n);
    s.reload(users, policy);
    const bool was_reached = !FailingNew::is_pending();
    FailingNew::fail(0);
    s.client_sends(allocate().as("bob").from(client(4))).expect_error(401);
    s.client_sends(create_permission("5.6.7.8:1")).expect_error(403);
    s.client_sends(create_permission("5.6.7.9:1")).expect_success();
    if (!was_reached) break;
    ++refused;
  }
  CHECK(refused > 0);
}

}  // namespace
}  // namespace turnpike::turn
