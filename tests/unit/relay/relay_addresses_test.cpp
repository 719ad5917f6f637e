#include "relay/relay_addresses.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <optional>
#include <utility>

#include "relay/relay_sockets.hpp"
#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"

namespace turnpike::relay {
namespace {

using test::address;

net::LocalAddresses machine(const std::vector<std::string_view>& addresses) {
  net::LocalAddresses local;
  for (const std::string_view text : addresses) {
    local.all.push_back(address(text));
    auto& source = local.all.back().is_v4() ? local.default_v4 : local.default_v6;
    if (!source) source = local.all.back();
  }
  std::ranges::sort(local.all);
  return local;
}

TEST_CASE("with `auto`, relayed addresses follow the machine's addresses", "[server]") {
  test::ScriptedRandom random;
  RelayPool pool({}, machine({"203.0.113.1"}));
  const auto first = pool.addresses();
  CHECK(first->choose(Family::ipv4, address("203.0.113.1"), random) == address("203.0.113.1"));
  CHECK(first->choose(Family::ipv4, address("203.0.113.2"), random) == address("203.0.113.1"));
  CHECK_FALSE(first->supports(Family::ipv6));

  pool.follow(machine({"203.0.113.2", "2001:db8::2"}));
  const auto second = pool.addresses();
  CHECK(second->choose(Family::ipv4, address("203.0.113.1"), random) == address("203.0.113.2"));
  CHECK(second->choose(Family::ipv6, address("203.0.113.2"), random) == address("2001:db8::2"));
  CHECK(second->supports(Family::ipv6));
  CHECK_FALSE(second->ports_of(address("203.0.113.1")));

  pool.follow(machine({}));
  CHECK_FALSE(pool.addresses()->choose(Family::ipv4, address("203.0.113.1"), random));
  CHECK_FALSE(pool.addresses()->supports(Family::ipv4));
  CHECK(first->choose(Family::ipv4, address("203.0.113.1"), random) == address("203.0.113.1"));
}

// The kernel does not bind such an address without its interface.
TEST_CASE("a client that comes to a link-local address is relayed from another one", "[server]") {
  test::ScriptedRandom random;
  RelayPool pool({}, machine({"2001:db8::2", "fe80::1", "169.254.0.1"}));
  const auto addresses = pool.addresses();
  CHECK(addresses->choose(Family::ipv6, address("fe80::1"), random) == address("2001:db8::2"));
  CHECK_FALSE(addresses->ports_of(address("fe80::1")));
  CHECK(addresses->choose(Family::ipv4, address("169.254.0.1"), random) == address("169.254.0.1"));
  CHECK_FALSE(RelayPool({}, machine({"203.0.113.1", "fe80::1"})).addresses()->supports(Family::ipv6));
}

TEST_CASE("configured addresses do not change", "[server]") {
  turn::RelayParams params;
  params.addresses = {address("127.0.0.1")};
  RelayPool pool(params, machine({"203.0.113.1"}));
  const auto before = pool.addresses();
  pool.follow(machine({"203.0.113.2"}));
  CHECK(pool.addresses() == before);
  test::ScriptedRandom random;
  CHECK(before->choose(Family::ipv4, address("203.0.113.2"), random) == address("127.0.0.1"));
}

TEST_CASE("the ports of an address stay taken while the machine does not have it", "[server]") {
  const net::LocalAddresses with = machine({"203.0.113.1", "203.0.113.2"});
  const net::LocalAddresses without = machine({"203.0.113.1"});
  RelayPool pool({}, with);
  const auto stays = pool.addresses()->ports_of(address("203.0.113.1"));
  const Endpoint on_goes(address("203.0.113.2"), 50000);
  auto goes = pool.addresses()->ports_of(on_goes.address);
  REQUIRE(goes->take_from(50000) == 50000);
  CHECK(pool.addresses()->is_live(on_goes, turn::RelayedTransport::udp));

  pool.follow(without);
  CHECK(pool.addresses()->ports_of(address("203.0.113.1")) == stays);
  CHECK_FALSE(pool.addresses()->is_live(on_goes, turn::RelayedTransport::udp));
  pool.follow(with);
  CHECK(pool.addresses()->ports_of(on_goes.address) == goes);
  CHECK(pool.addresses()->is_live(on_goes, turn::RelayedTransport::udp));

  pool.follow(without);
  goes.reset();  // as the last allocation does
  pool.follow(with);
  CHECK_FALSE(pool.addresses()->is_live(on_goes, turn::RelayedTransport::udp));
}

// A client that comes to an address is refused when the ports of that address are taken, however many others
// there are.
TEST_CASE("the use of ports is that of the fullest address", "[server]") {
  turn::RelayParams params;
  params.first_port = 50000;
  params.last_port = 50003;
  const net::LocalAddresses dual_stack = machine({"203.0.113.1", "127.0.0.1", "2001:db8::2", "::1"});
  RelayPool pool(params, dual_stack);
  const auto use = [&] { return std::pair(pool.port_use().taken, pool.port_use().of); };
  CHECK(use() == std::pair(0U, 4U));
  const auto v4 = pool.addresses()->ports_of(address("203.0.113.1"));
  const auto v6 = pool.addresses()->ports_of(address("2001:db8::2"));
  REQUIRE(v6->take_from(50000).has_value());
  CHECK(use() == std::pair(1U, 4U));
  for (unsigned taken = 1; taken <= 4; ++taken) {
    REQUIRE(v4->take_from(50000).has_value());
    CHECK(use() == std::pair(taken, 4U));
  }

  pool.follow(machine({"2001:db8::2"}));  // no client comes to an address that has gone
  CHECK(use() == std::pair(1U, 4U));
  pool.follow(machine({}));
  CHECK(use() == std::pair(0U, 0U));
  pool.follow(dual_stack);
  CHECK(use() == std::pair(4U, 4U));
}

TEST_CASE("a reservation is for its owner alone, and once", "[server]") {
  RelayPool pool({}, machine({"203.0.113.1"}));
  const stun::ReservationToken token{1, 2, 3};
  turn::QuotaSlot slot;
  pool.reserve(token, "user alice", {}, {});
  CHECK_FALSE(pool.take_reservation(token, "user bob", slot).has_value());
  CHECK_FALSE(pool.take_reservation({}, "user alice", slot).has_value());
  CHECK(pool.take_reservation(token, "user alice", slot).has_value());
  CHECK_FALSE(pool.take_reservation(token, "user alice", slot).has_value());
}

// --- 1:1 NAT

TEST_CASE("an advertised address without a local one stands for the only relayed address", "[server]") {
  turn::RelayParams params;
  params.advertise_for_only = {address("198.51.100.7"), address("2001:db8::7")};
  const IpAddress any_v4 = address("0.0.0.0");

  SECTION("that of the default route, for listeners on every address") {
    // This machine has containers: clients from outside do not come to the address of their bridge.
    RelayPool pool(params, machine({"10.0.0.5", "172.17.0.1", "fd00::5"}), {any_v4, address("::")});
    const auto addresses = pool.addresses();
    CHECK(addresses->to_advertised(address("10.0.0.5")) == address("198.51.100.7"));
    CHECK(addresses->to_advertised(address("fd00::5")) == address("2001:db8::7"));
    CHECK(addresses->to_advertised(address("172.17.0.1")) == address("172.17.0.1"));
    CHECK(addresses->to_local(address("198.51.100.7")) == address("10.0.0.5"));
    CHECK(addresses->to_local(address("8.8.8.8")) == address("8.8.8.8"));
    CHECK(pool.private_without_advertisement().empty());
    CHECK(pool.is_public_to_clients(address("10.0.0.5")));

    pool.follow(machine({"10.0.0.9", "fd00::5"}));
    CHECK(pool.addresses()->to_local(address("198.51.100.7")) == address("10.0.0.9"));
    CHECK(pool.addresses()->to_advertised(address("10.0.0.5")) == address("10.0.0.5"));
    CHECK(addresses->to_local(address("198.51.100.7")) == address("10.0.0.5"));  // as it was

    CHECK(pool.absent_locals().empty());
    pool.follow(machine({"fd00::5"}));
    CHECK(pool.addresses()->to_local(address("198.51.100.7")) == address("198.51.100.7"));
    CHECK(pool.absent_locals() ==
          std::vector<std::string>{"relay.advertise: 198.51.100.7 cannot be used now, because there is not "
                                   "exactly one relayed address of its family"});
  }
  SECTION("that of a listener, or of the list") {
    params.advertise_for_only.pop_back();
    CHECK(RelayPool(params, machine({"10.0.0.5"}), {address("10.0.0.6")})
              .addresses()
              ->to_local(address("198.51.100.7")) == address("10.0.0.6"));
    CHECK(RelayPool(params, machine({"10.0.0.5"}), {address("10.0.0.6"), address("127.0.0.1")})
              .addresses()
              ->to_local(address("198.51.100.7")) == address("10.0.0.6"));
    params.addresses = {address("127.0.0.1")};
    CHECK(RelayPool(params, machine({"10.0.0.5"}), {any_v4}).addresses()->to_local(address("198.51.100.7")) ==
          address("127.0.0.1"));
  }
  SECTION("and of none when there come to be several") {
    params.advertise_for_only.pop_back();
    RelayPool pool(params, machine({"10.0.0.6"}), {any_v4, address("10.0.0.6")});
    CHECK(pool.addresses()->to_local(address("198.51.100.7")) == address("10.0.0.6"));
    pool.follow(machine({"10.0.0.5", "10.0.0.6"}));
    CHECK(pool.addresses()->to_local(address("198.51.100.7")) == address("198.51.100.7"));
    CHECK(pool.absent_locals().size() == 1);
  }
  SECTION("and it is an error where there are several or none") {
    const auto refuses = [&](const net::LocalAddresses& local, std::vector<IpAddress> listeners,
                             const std::string& what) {
      CHECK_THROWS_WITH(
          RelayPool(params, local, std::move(listeners)),
          "relay.advertise: 198.51.100.7 can stand for one relayed address of its family, and there "
          "is " +
              what);
    };
    const std::string name_it = "; name the local one as well, such as {10.0.0.5: 198.51.100.7}";
    refuses(machine({"10.0.0.5", "10.0.0.6"}), {address("10.0.0.5"), address("10.0.0.6")},
            "10.0.0.5, 10.0.0.6" + name_it);
    refuses(machine({"10.0.0.5", "10.0.0.6"}), {address("0.0.0.0"), address("10.0.0.6")},
            "10.0.0.5, 10.0.0.6" + name_it);
    refuses(machine({}), {address("0.0.0.0")}, "none" + name_it);
    params.addresses = {address("127.0.0.1"), address("127.0.0.2")};
    CHECK_THROWS(RelayPool(params, machine({}), {}));
  }
}

TEST_CASE("a reload checks only what it changes against the present addresses", "[server]") {
  turn::RelayParams params;
  params.advertise_for_only = {address("198.51.100.7")};
  const std::vector<IpAddress> any{address("0.0.0.0")};
  RelayPool pool(params, machine({"10.0.0.5"}), any);
  const net::LocalAddresses none = machine({});
  pool.follow(none);
  params.receive_buffer = 8192;
  pool.use(params, none);
  CHECK(pool.receive_buffer() == 8192);
  params.advertise_for_only = {address("198.51.100.8")};
  CHECK_THROWS(pool.check(params, none));
  CHECK_THROWS(pool.use(params, none));
  pool.use(params, machine({"10.0.0.6"}));
  CHECK(pool.addresses()->to_local(address("198.51.100.8")) == address("10.0.0.6"));
}

// Otherwise, when descriptors run out, an operator would be told that an address is missing.
TEST_CASE("an address is not foreign because no socket can be opened to find out", "[server]") {
  REQUIRE(net::is_local_address(address("127.0.0.1")));
  REQUIRE_FALSE(net::is_local_address(address("192.0.2.77")));
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const bool is_local = net::is_local_address(address("127.0.0.1"));
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(is_local);
}

// An operator who is told to raise the limit of descriptors should be short of them.
TEST_CASE("an allocation without a socket is counted by its reason", "[server]") {
  struct Watching : RelaySockets::Host {
    bool watch_relay(int, turn::RelayId) override { return true; }
  } host;
  test::ScriptedRandom random;
  const IpAddress here = address("127.0.0.1");
  RelayPool pool({}, machine({"127.0.0.1", "192.0.2.77"}));  // the second one has left this machine
  RelaySockets sockets(pool, random, host, 0);
  const auto open_at = [&](const IpAddress& at) {
    turn::RelayRequest request;
    request.client_side = at;
    return sockets.open(request);
  };
  const auto gone = open_at(address("192.0.2.77"));
  REQUIRE_FALSE(gone.has_value());
  CHECK((gone.error() == turn::RelayError::no_port));
  CHECK(sockets.counters().no_socket == 1);

  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const bool opened = open_at(here).has_value();
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_FALSE(opened);
  CHECK(open_at(here).has_value());
  CHECK(sockets.counters().no_socket == 1);
  CHECK(sockets.counters().out_of_descriptors == 1);
  CHECK(sockets.counters().out_of_ports == 0);
}

TEST_CASE("of a relayed address it is known whether it is TCP, and a UDP one has a worker", "[server]") {
  struct Watching : RelaySockets::Host {
    bool watch_relay(int, turn::RelayId) override { return true; }
  } host;
  using turn::RelayedTransport;
  test::ScriptedRandom random;
  RelayPool pool({}, machine({"127.0.0.1"}));
  RelaySockets sockets(pool, random, host, 3);
  for (const auto& [transport, other] : {std::pair(RelayedTransport::udp, RelayedTransport::tcp),
                                         std::pair(RelayedTransport::tcp, RelayedTransport::udp)}) {
    turn::RelayRequest request;
    request.client_side = address("127.0.0.1");
    request.transport = transport;
    std::optional<turn::Relay> relay;
    relay.emplace(std::move(*sockets.open(request)));
    const Endpoint local = relay->local();
    CHECK(pool.addresses()->is_live(local, transport));
    CHECK_FALSE(pool.addresses()->is_live(local, other));
    const bool has_worker = transport == RelayedTransport::udp;
    CHECK(pool.addresses()->worker_of(local) ==
          (has_worker ? std::optional<std::uint16_t>(3) : std::nullopt));
    relay.reset();
    CHECK_FALSE(pool.addresses()->is_live(local, transport));
    CHECK_FALSE(pool.addresses()->worker_of(local).has_value());
  }
}

TEST_CASE("an address that no socket can have is no want of descriptors", "[server]") {
  struct Watching : RelaySockets::Host {
    bool watch_relay(int, turn::RelayId) override { return true; }
  } host;
  test::ScriptedRandom random;
  // The kernel does not bind a link-local group without its interface.
  RelayPool pool({}, machine({"ff02::1"}));
  RelaySockets sockets(pool, random, host, 0);
  turn::RelayRequest request;
  request.family = Family::ipv6;
  request.client_side = address("ff02::1");
  CHECK_FALSE(sockets.open(request).has_value());
  CHECK(sockets.counters().no_socket == 1);
  CHECK(sockets.counters().out_of_descriptors == 0);
}

TEST_CASE("an advertised address whose local address is missing is reported", "[server]") {
  turn::RelayParams params;
  params.advertise = {{address("127.0.0.1"), address("198.51.100.7")},
                      {address("192.0.2.77"), address("198.51.100.8")}};
  RelayPool pool(params, machine({"127.0.0.1"}));
  CHECK(pool.absent_locals() ==
        std::vector<std::string>{"relay.advertise: 192.0.2.77 is not an address of this machine now, so "
                                 "clients do not get 198.51.100.8"});
}

}  // namespace
}  // namespace turnpike::relay
