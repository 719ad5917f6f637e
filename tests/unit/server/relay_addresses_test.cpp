#include "server/relay_addresses.hpp"

#include <catch2/catch.hpp>

#include "server/relay_sockets.hpp"
#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"

namespace turnpike::server {
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

TEST_CASE("auto follows the machine's addresses", "[server]") {
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

TEST_CASE("addresses that are configured follow nothing", "[server]") {
  turn::RelayParams params;
  params.addresses = {address("127.0.0.1")};
  RelayPool pool(params, machine({"203.0.113.1"}));
  const auto before = pool.addresses();
  pool.follow(machine({"203.0.113.2"}));
  CHECK(pool.addresses() == before);
  test::ScriptedRandom random;
  CHECK(before->choose(Family::ipv4, address("203.0.113.2"), random) == address("127.0.0.1"));
}

TEST_CASE("the ports of an address stay taken while it is gone", "[server]") {
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

}  // namespace
}  // namespace turnpike::server
