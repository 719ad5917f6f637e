#include "turnpike/turn/port_map.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "support/scripted_random.hpp"

namespace turnpike::turn {
namespace {

// These ranges begin and end inside, at and across the words of the bitmap.
const std::pair<std::uint16_t, std::uint16_t> kRanges[] = {
    {50000, 50000}, {50001, 50001}, {50000, 50001}, {50001, 50002}, {50001, 50003},
    {63, 65},       {64, 127},      {63, 128},      {1, 3},         {1, 200},
    {65535, 65535}, {65534, 65535}, {65471, 65535}, {65472, 65535},
};

TEST_CASE("every port is drawn once, wherever the search starts", "[turn]") {
  for (const auto& [first, last] : kRanges) {
    for (std::uint32_t start = first; start <= last; start += std::max(1, (last - first) / 7)) {
      CAPTURE(first, last, start);
      PortMap map(first, last);
      CHECK(map.capacity() == last - first + 1u);
      std::set<std::uint16_t> taken;
      for (unsigned i = 0; i < map.capacity(); ++i) {
        const auto port = map.take_from(static_cast<std::uint16_t>(start));
        REQUIRE(port);
        CHECK(map.contains(*port));
        CHECK(map.is_taken(*port));
        CHECK(taken.insert(*port).second);
      }
      CHECK_FALSE(map.take_from(static_cast<std::uint16_t>(start)));
      map.release(last);
      CHECK_FALSE(map.is_taken(last));
      CHECK(map.take_from(static_cast<std::uint16_t>(start)) == last);
    }
  }
}

TEST_CASE("even ports can be taken alone, or with the next port", "[turn]") {
  for (const bool pair : {false, true}) {
    for (const auto& [first, last] : kRanges) {
      unsigned expected = 0;
      for (std::uint32_t port = first; port + pair <= last; ++port) expected += port % 2 == 0;
      for (std::uint32_t start = first; start <= last; start += std::max(1, (last - first) / 7)) {
        CAPTURE(pair, first, last, start);
        PortMap map(first, last);
        unsigned found = 0;
        while (const auto port = map.take_even_from(static_cast<std::uint16_t>(start), pair)) {
          ++found;
          CHECK(*port % 2 == 0);
          CHECK(map.contains(*port));
          CHECK(map.is_taken(*port));
          CHECK(map.is_taken(static_cast<std::uint16_t>(*port + 1)) == pair);
        }
        CHECK(found == expected);
      }
    }
  }
}

TEST_CASE("a pair needs both, and a failed search leaves nothing taken", "[turn]") {
  PortMap map(50000, 50005);
  CHECK(map.take_from(50001) == 50001);
  CHECK(map.take_from(50002) == 50002);
  CHECK(map.take_even_from(50000, true) == 50004);
  CHECK_FALSE(map.take_even_from(50000, true));
  CHECK_FALSE(map.is_taken(50000));
  CHECK_FALSE(map.is_taken(50003));
  CHECK(map.take_even_from(50003, false) == 50000);
  CHECK_FALSE(map.take_even_from(50003, false));
  CHECK(map.take_from(50005) == 50003);
}

TEST_CASE("ports outside the range are not taken", "[turn]") {
  PortMap map(50000, 50003);
  for (unsigned i = 0; i < 4; ++i) CHECK(map.take_from(50000));
  for (const std::uint16_t port : {0, 1, 49999, 50004, 50063, 65535}) CHECK_FALSE(map.is_taken(port));
}

TEST_CASE("a search starts anywhere in the range", "[turn]") {
  test::ScriptedRandom random;
  const PortMap map(50000, 50009);
  std::set<std::uint16_t> starts;
  for (int i = 0; i < 500; ++i) {
    const std::uint16_t start = map.random_start(random);
    CHECK(map.contains(start));
    starts.insert(start);
  }
  CHECK(starts.size() == map.capacity());
  random.script(std::vector<std::uint8_t>{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff});
  CHECK(map.random_start(random) == 50000);
  CHECK(map.random_start(random) == 50009);
}

TEST_CASE("threads that draw at once share all ports and none twice", "[turn]") {
  PortMap map(40001, 42000);
  std::mutex mutex;
  std::vector<std::uint16_t> taken;
  const auto draw = [&](unsigned seed) {
    test::ScriptedRandom random(seed);
    std::vector<std::uint16_t> mine;
    while (const auto port = map.take_from(map.random_start(random))) {
      mine.push_back(*port);
      if (random.below(4) == 0) {
        map.release(mine.back());
        mine.pop_back();
      }
    }
    const std::lock_guard lock(mutex);
    taken.insert(taken.end(), mine.begin(), mine.end());
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 4; ++i) threads.emplace_back(draw, i);
  }
  CHECK(taken.size() == std::set(taken.begin(), taken.end()).size());
  // A thread may have found the range full just before another thread returned a port.
  CHECK(taken.size() > 1900);
  for (std::uint32_t port = 40001; port <= 42000; ++port)
    CHECK(map.is_taken(static_cast<std::uint16_t>(port)) ==
          (std::ranges::find(taken, static_cast<std::uint16_t>(port)) != taken.end()));
}

TEST_CASE("threads that draw pairs never break one another's", "[turn]") {
  PortMap map(40000, 41999);
  std::atomic<unsigned> pairs{0};
  const auto draw = [&](unsigned seed) {
    test::ScriptedRandom random(seed);
    for (int i = 0; i < 250; ++i) pairs += map.take_even_from(map.random_start(random), true).has_value();
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 4; ++i) threads.emplace_back(draw, i);
  }
  unsigned taken = 0;
  for (std::uint32_t port = 40000; port < 42000; port += 2) {
    const bool even = map.is_taken(static_cast<std::uint16_t>(port));
    CHECK(even == map.is_taken(static_cast<std::uint16_t>(port + 1)));
    taken += even;
  }
  CHECK(taken == pairs);
}

TEST_CASE("a port map knows which worker has a port", "[turn]") {
  PortMap map(50001, 50003);
  for (const std::uint16_t port : {50000, 50001, 50003, 50004}) CHECK_FALSE(map.worker_of(port));
  REQUIRE(map.take_from(50003) == 50003);
  CHECK_FALSE(map.worker_of(50003));  // reserved, so far
  for (const std::uint16_t worker : {0, 7, 65'534}) {
    map.give_to(50003, worker);
    CHECK(map.worker_of(50003) == worker);
  }
  CHECK_FALSE(map.worker_of(50001));
  map.release(50003);
  CHECK_FALSE(map.worker_of(50003));
}

TEST_CASE("a port that was TCP's is free for UDP", "[turn]") {
  PortMap map(50001, 50003);
  REQUIRE(map.take_from(50002) == 50002);
  CHECK_FALSE(map.is_tcp(50002));
  map.set_tcp(50002);
  CHECK(map.is_tcp(50002));
  CHECK_FALSE(map.is_tcp(50001));
  map.release(50002);
  REQUIRE(map.take_from(50002) == 50002);
  CHECK_FALSE(map.is_tcp(50002));
}

}  // namespace
}  // namespace turnpike::turn
