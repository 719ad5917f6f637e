#include "turnpike/turn/quota.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

namespace turnpike::turn {
namespace {

TEST_CASE("a user's limit counts what the user holds on other servers", "[turn]") {
  Quota quota(0, 3, {});
  const QuotaSlot first = quota.take("ann");
  REQUIRE(first);
  quota.set_held_elsewhere({{"ann", 1}, {"ben", 3}, {"cid", 2}});
  const QuotaSlot second = quota.take("ann");
  CHECK(second);
  CHECK(quota.take("ann").reached() == QuotaLimit::user);
  CHECK(quota.take("ben").reached() == QuotaLimit::user);
  CHECK(quota.take("ben", false));
  CHECK(quota.take("cid"));
  CHECK(quota.held_by_users(10) == Quota::Held{{"ann", 2}});
  CHECK(quota.held_by_users(0).empty());
  const QuotaSlot other = quota.take("dan");
  CHECK(quota.held_by_users(2) == Quota::Held{{"ann", 2}, {"dan", 1}});
  CHECK(quota.held_by_users(1) == Quota::Held{{"ann", 2}});
  quota.set_held_elsewhere({});
  CHECK(quota.take("ben"));
}

TEST_CASE("when there are too many users, the record has those that hold most", "[turn]") {
  Quota quota(0, 2, {});
  std::vector<QuotaSlot> slots;
  for (int user = 0; user < 30; ++user) {
    for (int i = 0; i < (user < 10 ? 1 : 2); ++i) slots.push_back(quota.take("user" + std::to_string(user)));
  }
  const auto told = [&](std::size_t most) {
    std::array<std::size_t, 3> by_count{};
    for (const auto& [name, count] : quota.held_by_users(most)) ++by_count[count];
    return by_count;
  };
  CHECK(told(7) == std::array<std::size_t, 3>{0, 0, 7});
  CHECK(told(19) == std::array<std::size_t, 3>{0, 0, 19});
  CHECK(told(20) == std::array<std::size_t, 3>{0, 0, 20});
  CHECK(told(23) == std::array<std::size_t, 3>{0, 3, 20});
  CHECK(told(30) == std::array<std::size_t, 3>{0, 10, 20});
  CHECK(told(0) == std::array<std::size_t, 3>{0, 0, 0});
}

TEST_CASE("when there are too many users, the record has those that want most", "[turn]") {
  constexpr std::uint32_t kLimit = 1'000'000;
  Quota quota(0, 0, {});
  std::vector<QuotaSlot> slots;
  for (std::size_t i = 0; i < 40; ++i) {
    slots.push_back(quota.take("user" + std::to_string(i)));
    slots.back().budgets().count(i % 2 == 0 ? Direction::from_client : Direction::to_client,
                                 i < 30 ? 1000 : 2000 + i);
  }
  const auto demands = quota.measure_demands(std::chrono::seconds(1), kLimit, 1000, 11);
  CHECK(demands.size() == 11);
  for (std::size_t i = 30; i < 40; ++i) CHECK(demands.contains("user" + std::to_string(i)));
}

TEST_CASE("a limit on octets is divided by what is wanted here and elsewhere", "[turn]") {
  constexpr std::uint32_t kLimit = 1'000'000;
  constexpr Direction kUp = Direction::from_client;
  constexpr Direction kDown = Direction::to_client;
  Quota quota(0, 0, {});
  const QuotaSlot slot = quota.take("ann");
  UserBudgets& budgets = slot.budgets();
  CHECK(budgets.limit_here(kUp, kLimit) == kLimit);
  CHECK(budgets.limit_here(kUp, 0) == 0);

  budgets.count(kUp, 3'000'000);
  budgets.count(kDown, 10);
  const std::chrono::seconds two(2);
  CHECK(quota.measure_demands(two, kLimit, 100, 10) == Quota::Demands{{"ann", {1'500'000, 5}}});
  quota.share_limit(kLimit, {{"ann", {500'000, 0}}, {"ben", {9, 9}}});
  CHECK(budgets.limit_here(kUp, kLimit) == 750'000);  // three of four parts
  CHECK(budgets.limit_here(kDown, kLimit) == kLimit);

  // Users may use what others leave, and a user who is new on this node has a sixteenth at once.
  budgets.count(kUp, 200'000);
  CHECK(quota.measure_demands(two, kLimit, 0, 10) == Quota::Demands{{"ann", {100'000, 0}}});
  quota.share_limit(kLimit, {{"ann", {250'000, 5'000'000}}});
  CHECK(budgets.limit_here(kUp, kLimit) == 750'000);
  CHECK(budgets.limit_here(kDown, kLimit) == 62'500);

  // A stream that had to wait counts as one that wants the whole limit, so that two of them get the same.
  budgets.count(kDown, 2 * 62'500);
  budgets.want_all(kDown);
  CHECK(quota.measure_demands(two, kLimit, 0, 10) == Quota::Demands{{"ann", {0, 1'000'000}}});
  quota.share_limit(kLimit, {{"ann", {0, 1'000'000}}});
  CHECK(budgets.limit_here(kDown, kLimit) == 500'000);

  CHECK(quota.measure_demands(two, kLimit, 1, 10).empty());
  quota.share_limit(kLimit, {});
  CHECK(budgets.limit_here(kDown, kLimit) == kLimit);
  CHECK(quota.measure_demands(two, kLimit, 0, 0).empty());
}

TEST_CASE("a user holds as many as it may, and others are not concerned", "[turn]") {
  Quota quota(0, 2, HashKey{1, 2});
  std::vector<QuotaSlot> slots;
  CHECK(slots.emplace_back(quota.take("alice")));
  CHECK(slots.emplace_back(quota.take("alice")));
  CHECK_FALSE(quota.take("alice"));
  CHECK(slots.emplace_back(quota.take("bob")));
  CHECK(slots.emplace_back(quota.take("")));
  CHECK(slots.emplace_back(quota.take("alice ")));
  CHECK(quota.in_use() == 5);
  slots.erase(slots.begin());
  CHECK(quota.in_use() == 4);
  CHECK(slots.emplace_back(quota.take("alice")));
  CHECK_FALSE(quota.take("alice"));
  slots.clear();
  CHECK(quota.in_use() == 0);
}

TEST_CASE("all users together have a limit", "[turn]") {
  Quota quota(3, 2, HashKey{1, 2});
  std::vector<QuotaSlot> slots;
  for (const std::string user : {"a", "b", "c"}) CHECK(slots.emplace_back(quota.take(user)));
  CHECK_FALSE(quota.take("a"));
  CHECK_FALSE(quota.take("d"));
  CHECK(quota.in_use() == 3);
  slots.pop_back();
  CHECK(quota.take("d"));
  CHECK(quota.in_use() == 2);
}

TEST_CASE("an empty slot says whose limit was reached", "[turn]") {
  Quota quota(2, 1, HashKey{1, 2});
  const QuotaSlot first = quota.take("a");
  CHECK(first.reached() == QuotaLimit::none);
  CHECK(quota.take("a").reached() == QuotaLimit::user);
  QuotaSlot second = quota.take("b");
  CHECK(quota.take("c").reached() == QuotaLimit::total);
  CHECK(quota.take("a").reached() == QuotaLimit::user);  // and that of all, but the user's is no news there
  second = quota.take("c");
  CHECK(second.reached() == QuotaLimit::total);
  CHECK(quota.in_use() == 1);
  CHECK(quota.take("c"));
}

TEST_CASE("a quota of zero is no limit", "[turn]") {
  Quota quota(0, 0, HashKey{1, 2});
  std::vector<QuotaSlot> slots;
  for (int i = 0; i < 1000; ++i) CHECK(slots.emplace_back(quota.take("alice")));
  CHECK(quota.in_use() == 1000);
}

TEST_CASE("a slot that moves is given back once", "[turn]") {
  Quota quota(0, 1, HashKey{1, 2});
  QuotaSlot first = quota.take("alice");
  QuotaSlot second = std::move(first);
  CHECK(second);
  CHECK(quota.in_use() == 1);
  QuotaSlot other = quota.take("bob");
  other = std::move(second);
  CHECK(quota.in_use() == 2);  // bob's is in `second` now
  CHECK_FALSE(quota.take("alice"));
  second = QuotaSlot();
  CHECK(quota.in_use() == 1);
  other = QuotaSlot();
  CHECK(quota.in_use() == 0);
  CHECK(quota.take("alice"));
}

TEST_CASE("threads never hold more than the quota, and leave nothing behind", "[turn]") {
  constexpr unsigned kPerUser = 3;
  Quota quota(8, kPerUser, HashKey{1, 2});
  std::atomic<int> held_by_alice{0}, held{0}, refused{0};
  std::atomic<bool> too_many{false};
  const auto work = [&](unsigned seed) {
    for (unsigned i = 0; i < 4000; ++i) {
      const bool is_alice = (i + seed) % 2 == 0;
      const QuotaSlot slot = quota.take(is_alice ? "alice" : "user " + std::to_string(i % 7));
      if (!slot) {
        ++refused;
        continue;
      }
      if (is_alice && ++held_by_alice > static_cast<int>(kPerUser)) too_many = true;
      if (++held > 8) too_many = true;
      --held;
      if (is_alice) --held_by_alice;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 4; ++i) threads.emplace_back(work, i);
  }
  CHECK_FALSE(too_many);
  CHECK(quota.in_use() == 0);
  std::vector<QuotaSlot> slots;
  for (unsigned i = 0; i < kPerUser; ++i) CHECK(slots.emplace_back(quota.take("alice")));
}

}  // namespace
}  // namespace turnpike::turn
