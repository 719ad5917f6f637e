#include "server/gathering.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

namespace turnpike::server {
namespace {

// A worker that makes a pass each millisecond and finds `per_pass` datagrams; whether the last pass was to
// pause.
bool pays_after(std::uint64_t per_pass, Gathering gathering = {}) {
  test::ManualClock clock;
  std::uint64_t relayed = 0;
  bool pays = false;
  for (int pass = 0; pass < 20; ++pass) {
    pays = gathering.pays(relayed, clock.now().steady);
    relayed += per_pass;
    clock.advance(Duration(1));
  }
  return pays;
}

TEST_CASE("A pause pays where datagrams come often, and few at a time", "[gathering]") {
  CHECK_FALSE(pays_after(0));
  CHECK_FALSE(pays_after(3));
  CHECK(pays_after(4));
  CHECK(pays_after(39));
  CHECK_FALSE(pays_after(40));
  CHECK_FALSE(pays_after(1000));
}

TEST_CASE("At any rate, a pass that found little is followed by a pause", "[gathering]") {
  test::ManualClock clock;
  Gathering gathering;
  std::uint64_t relayed = 0;
  for (int pass = 0; pass < 20; ++pass, clock.advance(Duration(1)))
    gathering.pays(relayed += 200, clock.now().steady);
  CHECK_FALSE(gathering.pays(relayed += 40, clock.now().steady));
  CHECK(gathering.pays(relayed += 39, clock.now().steady));
  CHECK(gathering.pays(relayed, clock.now().steady));
  CHECK_FALSE(gathering.pays(relayed += 200, clock.now().steady));
}

TEST_CASE("A flow that ends is no reason to go on pausing", "[gathering]") {
  test::ManualClock clock;
  Gathering gathering;
  gathering.pays(0, clock.now().steady);
  clock.advance(Gathering::kWindow);
  CHECK(gathering.pays(30, clock.now().steady));
  clock.advance(Gathering::kWindow);
  CHECK_FALSE(gathering.pays(31, clock.now().steady));
}

}  // namespace
}  // namespace turnpike::server
