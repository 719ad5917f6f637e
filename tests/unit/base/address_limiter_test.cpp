#include "turnpike/base/address_limiter.hpp"

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
  for (unsigned i = 0; i < asked; ++i) allowed += limiter.allow(source, now);
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
  for (int ms = 0; ms < 10'000; ++ms) allowed += limiter.allow(address("198.51.100.1"), kNow + Duration(ms));
  CHECK(allowed >= 119);
  CHECK(allowed <= 120);
}

TEST_CASE("a source is an IPv4 address or an IPv6 /64", "[base]") {
  AddressLimiter limiter(1, 2 * 1, HashKey{1, 0});
  const auto exhausted = [&](std::string_view source) { return !limiter.allow(address(source), kNow); };
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

TEST_CASE("a very large rate is one", "[base]") {
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
  for (int i = 0; i < 1000; ++i) allowed += limiter.allow(source, i % 2 == 0 ? kNow : kNow - 5ms);
  CHECK(allowed == 0);
}

// 64 Ki buckets for 200,000 sources: the table does not grow, and who keeps asking keeps its bucket.
TEST_CASE("strangers do not wash a busy source out of the table", "[base]") {
  AddressLimiter limiter(10, 2 * 10, HashKey{42, 0});
  const IpAddress busy = address("198.51.100.1");
  unsigned allowed = 0;
  unsigned strangers = 0;
  for (unsigned i = 0; i < 200'000; ++i) {
    const SteadyTime now = kNow + Duration(i / 20);  // 10 s in all
    strangers += limiter.allow(IpAddress::v4(0x14000000 + i), now);
    allowed += limiter.allow(busy, now);
  }
  CHECK(strangers == 200'000);
  CHECK(allowed >= 119);
  CHECK(allowed <= 140);  // once in a while its set is full of those who asked in the same millisecond
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
