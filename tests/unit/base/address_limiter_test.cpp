#include "turnpike/base/address_limiter.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "support/request_maker.hpp"

namespace turnpike {
namespace {

using namespace std::chrono_literals;
using test::address;

constexpr SteadyTime kNow{Duration(24h)};

unsigned answers(AddressLimiter& limiter, const IpAddress& source, SteadyTime now, unsigned asked) {
  unsigned allowed = 0;
  for (unsigned i = 0; i < asked; ++i) allowed += limiter.take(source, now);
  return allowed;
}

TEST_CASE("a source has a burst of twice its rate, and then its rate", "[base]") {
  for (const std::uint32_t rate : {1u, 7u, 100u}) {
    CAPTURE(rate);
    AddressLimiter limiter(rate, 2 * rate, HashKey{1, 0});
    const IpAddress source = address("198.51.100.1");
    CHECK(answers(limiter, source, kNow, 3 * rate) == 2 * rate);
    CHECK(answers(limiter, source, kNow + 1s, 3 * rate) == rate);
    CHECK(answers(limiter, source, kNow + 1500ms, 3 * rate) == rate / 2);
    CHECK(answers(limiter, source, kNow + 1h, 3 * rate) == 2 * rate);
  }
}

TEST_CASE("the rate holds however it is asked for", "[base]") {
  AddressLimiter limiter(10, 2 * 10, HashKey{1, 0});
  unsigned allowed = 0;
  for (int ms = 0; ms < 10'000; ++ms) allowed += limiter.take(address("198.51.100.1"), kNow + Duration(ms));
  CHECK(allowed >= 119);
  CHECK(allowed <= 120);
}

TEST_CASE("a source is an IPv4 address or an IPv6 /64", "[base]") {
  AddressLimiter limiter(1, 2 * 1, HashKey{1, 0});
  const auto exhausted = [&](std::string_view source) { return !limiter.take(address(source), kNow); };
  CHECK(answers(limiter, address("2001:db8:0:1::1"), kNow, 5) == 2);
  CHECK(exhausted("2001:db8:0:1::2"));
  CHECK(exhausted("2001:db8:0:1:ffff:ffff:ffff:ffff"));
  CHECK_FALSE(exhausted("2001:db8:0:2::1"));
  CHECK_FALSE(exhausted("2001:db8::1"));
  CHECK(answers(limiter, address("198.51.100.1"), kNow, 5) == 2);
  CHECK_FALSE(exhausted("198.51.100.2"));
  CHECK_FALSE(exhausted("c633:6401::"));  // the same octets
}

TEST_CASE("a rate of zero is no limit", "[base]") {
  AddressLimiter limiter(0, 2 * 0, HashKey{1, 0});
  CHECK(answers(limiter, address("198.51.100.1"), kNow, 10'000) == 10'000);
}

TEST_CASE("a very large rate is still a limit", "[base]") {
  for (const std::uint32_t rate : {2'200'000u, 4'294'968u, UINT32_MAX}) {
    CAPTURE(rate);
    AddressLimiter limiter(rate, 2 * rate, HashKey{1, 0});
    CHECK(answers(limiter, address("198.51.100.1"), kNow, 10'000) == 10'000);
    CHECK(answers(limiter, address("198.51.100.1"), kNow + 10s, 10'000) == 10'000);
  }
}

TEST_CASE("workers whose clocks differ by a batch do not add to the rate", "[base]") {
  AddressLimiter limiter(10, 2 * 10, HashKey{1, 0});
  const IpAddress source = address("198.51.100.1");
  CHECK(answers(limiter, source, kNow, 100) == 20);
  unsigned allowed = 0;
  for (int i = 0; i < 1000; ++i) allowed += limiter.take(source, i % 2 == 0 ? kNow : kNow - 5ms);
  CHECK(allowed == 0);
}

// The table has 64 Ki buckets for 200,000 sources. It does not grow, and a source that keeps asking keeps its
// bucket.
TEST_CASE("many strangers do not remove a busy source from the table", "[base]") {
  AddressLimiter limiter(10, 2 * 10, HashKey{42, 0});
  const IpAddress busy = address("198.51.100.1");
  unsigned allowed = 0;
  unsigned strangers = 0;
  for (unsigned i = 0; i < 200'000; ++i) {
    const SteadyTime now = kNow + Duration(i / 20);  // 10 s in all
    strangers += limiter.take(IpAddress::v4(0x14000000 + i), now);
    allowed += limiter.take(busy, now);
  }
  CHECK(strangers == 200'000);
  CHECK(allowed >= 119);
  CHECK(allowed <= 140);  // once in a while its set is full of those who asked in the same millisecond
}

// --- Requests with a forged source address

// RFC 8489 §6.2.1: when a client sends its request again, Rc = 7 and RTO = 500 ms.
constexpr int kRetransmissions[] = {0, 500, 1500, 3500, 7500, 15'500, 31'500};

struct Siege {
  unsigned served = 0;    // clients, of 40
  unsigned answered = 0;  // requests of the flood
  unsigned flood = 0;
};

// Forty clients of one address ask, one after the other, while an attacker asks with their address all the
// time.
Siege besiege(std::uint32_t limit, unsigned flood_per_second, std::uint64_t seed) {
  constexpr unsigned kClients = 40;
  constexpr int kFirst = 3000;  // ms after the flood began
  constexpr int kApart = 137;
  constexpr int kEnd = kFirst + static_cast<int>(kClients) * kApart + 32'000;
  const IpAddress source = address("198.51.100.1");
  AddressLimiter limiter(limit, 2 * limit, HashKey{seed, 0});
  Siege siege;
  std::array<bool, kClients> served{};
  for (int ms = 0; ms < kEnd; ++ms) {
    const SteadyTime now = kNow + Duration(ms);
    for (unsigned i = ms * flood_per_second / 1000; i < (ms + 1) * flood_per_second / 1000; ++i) {
      ++siege.flood;
      siege.answered += limiter.take_unproven(source, now);
    }
    for (unsigned c = 0; c < kClients; ++c) {
      const int age = ms - kFirst - static_cast<int>(c) * kApart;
      if (served[c] || std::ranges::find(kRetransmissions, age) == std::end(kRetransmissions)) continue;
      served[c] = limiter.take_unproven(source, now);
      siege.served += served[c];
    }
  }
  return siege;
}

TEST_CASE("a flood with a forged address does not lock out the clients of this address", "[base]") {
  unsigned served = 0;
  constexpr unsigned kRuns = 10;
  for (unsigned seed = 0; seed < kRuns; ++seed) {
    const Siege siege = besiege(500, 1400, seed);
    CAPTURE(seed, siege.served, siege.answered, siege.flood);
    CHECK(siege.served >= 37);
    served += siege.served;
    // The bound is the limit, a third more for the draws, and the burst.
    CHECK(siege.answered <= siege.flood * 1.05 * 667 / 1400 + 1000);
    CHECK(siege.answered >= siege.flood * 500 / 1400);
  }
  CHECK(served >= kRuns * 39);
}

TEST_CASE("a client of an address has its share of the limit, however it asks", "[base]") {
  // A strict limit serves none of the 40 clients here, since the flood takes each token as soon as it is
  // there.
  unsigned served = 0;
  for (unsigned seed = 0; seed < 10; ++seed) served += besiege(100, 1400, seed).served;
  CHECK(served >= 10 * 17);  // 1 - (1 - 133 / 1400)^7 is a half
}

TEST_CASE("at any rate, one request in sixteen is allowed", "[base]") {
  AddressLimiter limiter(10, 20, HashKey{3, 0});
  const IpAddress source = address("198.51.100.1");
  for (int ms = 0; ms < 2000; ++ms)  // 100,000 a second
    for (int i = 0; i < 100; ++i) limiter.take_unproven(source, kNow + Duration(ms));
  unsigned allowed = 0;
  for (int ms = 2000; ms < 3000; ++ms)
    for (int i = 0; i < 100; ++i) allowed += limiter.take_unproven(source, kNow + Duration(ms));
  CHECK(allowed > 100'000 / 16 - 500);
  CHECK(allowed < 100'000 / 16 + 500);
}

TEST_CASE("up to the limit everything is allowed, and again when the flood is over", "[base]") {
  AddressLimiter limiter(100, 200, HashKey{3, 0});
  const IpAddress source = address("198.51.100.1");
  for (int ms = 0; ms < 10'000; ms += 10) CHECK(limiter.take_unproven(source, kNow + Duration(ms)));
  unsigned burst = 0;
  for (int i = 0; i < 200; ++i) burst += limiter.take_unproven(source, kNow + 12s);
  CHECK(burst == 200);
  for (int i = 0; i < 10'000; ++i) limiter.take_unproven(source, kNow + 13s);
  for (int ms = 0; ms < 2000; ms += 10) CHECK(limiter.take_unproven(source, kNow + 16s + Duration(ms)));
  CHECK(limiter.take_unproven(address("198.51.100.2"), kNow + 13s));
}

TEST_CASE("an unproven rate of zero is no limit, and a very large one is one", "[base]") {
  const IpAddress source = address("198.51.100.1");
  for (const std::uint32_t rate : {0u, UINT32_MAX}) {
    AddressLimiter limiter(rate, std::uint64_t{2} * rate, HashKey{1, 0});
    for (int i = 0; i < 10'000; ++i) REQUIRE(limiter.take_unproven(source, kNow));
  }
}

TEST_CASE("threads share a source's tokens", "[base]") {
  AddressLimiter limiter(500, 2 * 500, HashKey{1, 0});
  std::atomic<unsigned> allowed{0};
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 4; ++t)
      threads.emplace_back([&] { allowed += answers(limiter, address("198.51.100.1"), kNow, 2000); });
  }
  CHECK(allowed == 1000);
}

}  // namespace
}  // namespace turnpike
