// How data connections share the limits on octets per second with each other and with datagrams.
#include "turnpike/turn/stream_shaper.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <numeric>
#include <vector>

#include "support/manual_clock.hpp"
#include "support/scripted_random.hpp"

namespace turnpike::turn {
namespace {

using namespace std::chrono_literals;
using test::ManualClock;
using test::ScriptedRandom;

constexpr Direction kUp = Direction::from_client;

// Streams that always have more to read, served as workers do it: after a pause, a stream is read until it
// has to pause again. Streams of one worker follow one after the other.
class Writers {
 public:
  // `users` contains the user of each writer.
  Writers(const Limits& limits, const std::vector<std::size_t>& users) : limits_(limits) {
    for (const std::size_t user : users) {
      while (users_.size() <= user) users_.push_back(std::make_shared<UserBudgets>());
      writers_.push_back(std::make_unique<Writer>());
      writers_.back()->budgets = {std::make_shared<AllocationBudgets>(), users_[user]};
    }
  }

  ByteBudget& server() { return server_.of(kUp); }
  SteadyTime now() const { return clock_.now().steady; }
  void set_limits(const Limits& limits) { limits_ = limits; }
  void begin_again() {
    for (const auto& writer : writers_) writer->octets = 0;
  }

  void advance_a_millisecond() {
    clock_.advance(1ms);
    std::vector<Writer*> awake;
    for (const auto& writer : writers_) {
      if (writer->until <= now()) awake.push_back(writer.get());
    }
    for (Writer* const writer : awake) writer->shaper.resume();
    while (!awake.empty()) {
      std::erase_if(awake, [&](Writer* writer) { return !serve(*writer); });
    }
  }

  std::vector<std::size_t> octets() const {
    std::vector<std::size_t> all;
    for (const auto& writer : writers_) all.push_back(writer->octets);
    return all;
  }
  std::size_t sum() const {
    const auto all = octets();
    return std::accumulate(all.begin(), all.end(), std::size_t{0});
  }

 private:
  struct Writer {
    SharedBudgets budgets;
    StreamShaper shaper;
    SteadyTime until;
    std::size_t octets = 0;
  };

  bool serve(Writer& writer) {
    const StreamLimits limits = find_stream_limits(limits_, writer.budgets, server_, kUp);
    if (const auto pause = writer.shaper.pause(limits, now(), random_)) {
      writer.until = pause->until;
      return false;
    }
    const std::size_t size = StreamShaper::most_at_once(limits);
    writer.octets += size;
    writer.shaper.spend(limits, size, size, now());
    return true;
  }

  Limits limits_;
  ByteBudgets server_;
  std::vector<std::shared_ptr<UserBudgets>> users_;
  std::vector<std::unique_ptr<Writer>> writers_;
  ManualClock clock_;
  ScriptedRandom random_;
};

// A call beside the streams: one datagram of 160 octets each 20 ms.
class SmallCall {
 public:
  void advance(ByteBudget& budget, std::uint32_t per_second, SteadyTime now) {
    if (now.time_since_epoch() % 20ms != 0ms) return;
    ++sent_;
    if (budget.take(160, per_second, now)) ++passed_;
  }
  unsigned percent_passed() const { return passed_ * 100 / sent_; }
  std::size_t octets() const { return passed_ * 160; }

 private:
  unsigned sent_ = 0;
  unsigned passed_ = 0;
};

Limits for_server(std::uint32_t per_second) {
  Limits limits;
  limits.bytes_per_second = per_second;
  return limits;
}

Limits for_user(std::uint32_t per_second) {
  Limits limits;
  limits.bytes_per_second_per_user = per_second;
  return limits;
}

bool is_within_five_percent_of(std::size_t octets, std::size_t expected) {
  return octets >= expected * 95 / 100 && octets <= expected * 105 / 100;
}

void check_equal_shares(const std::vector<std::size_t>& octets) {
  const auto [least, most] = std::ranges::minmax(octets);
  CAPTURE(octets);
  CHECK(most <= 2 * least);
}

TEST_CASE("streams together keep to the limit and have equal shares of it", "[turn][limits]") {
  const auto per_second = GENERATE(as<std::uint32_t>(), 10'000, 262'144, 1'048'576, 100'000'000);
  const auto count = GENERATE(as<std::size_t>(), 1, 2, 6, 20);
  CAPTURE(per_second, count);
  if (per_second == 10'000 && count == 20) return;  // these are twenty small pieces a second
  const std::vector<std::size_t> users(count, 0);
  const bool is_of_user = GENERATE(false, true);
  Writers writers(is_of_user ? for_user(per_second) : for_server(per_second), users);
  for (int ms = 0; ms < 10'000; ++ms) writers.advance_a_millisecond();
  CHECK(is_within_five_percent_of(writers.sum(), std::size_t{10} * per_second));
  check_equal_shares(writers.octets());
}

TEST_CASE("a user's limit does not put its streams at a disadvantage beside others", "[turn][limits]") {
  Limits limits = for_server(1'000'000);
  limits.bytes_per_second_per_user = 600'000;
  Writers writers(limits, {0, 0, 1, 1, 2, 2});
  for (int ms = 0; ms < 10'000; ++ms) writers.advance_a_millisecond();
  CHECK(is_within_five_percent_of(writers.sum(), 10'000'000));
  check_equal_shares(writers.octets());
}

TEST_CASE("what a user may not use is available to others", "[turn][limits]") {
  Limits limits = for_server(1'000'000);
  limits.bytes_per_second_per_user = 100'000;
  std::vector<std::size_t> users(20, 0);
  users.push_back(1);
  Writers writers(limits, users);
  for (int ms = 0; ms < 10'000; ++ms) writers.advance_a_millisecond();
  CHECK(is_within_five_percent_of(writers.octets().back(), 1'000'000));
  CHECK(is_within_five_percent_of(writers.sum(), 2'000'000));
}

TEST_CASE("a client with few datagrams is not delayed by streams", "[turn][limits]") {
  const auto per_second = GENERATE(as<std::uint32_t>(), 20'000, 200'000, 1'000'000, 100'000'000);
  const auto count = GENERATE(as<std::size_t>(), 1, 6, 100);
  CAPTURE(per_second, count);
  Writers writers(for_server(per_second), std::vector<std::size_t>(count, 0));
  SmallCall call;
  for (int ms = 0; ms < 10'000; ++ms) {
    writers.advance_a_millisecond();
    call.advance(writers.server(), per_second, writers.now());
  }
  CHECK(call.percent_passed() == 100);
  CHECK(is_within_five_percent_of(writers.sum() + call.octets(), std::size_t{10} * per_second));
}

TEST_CASE("streams get a quarter beside clients that send datagrams all the time", "[turn][limits]") {
  constexpr std::uint32_t kPerSecond = 1'000'000;
  const auto count = GENERATE(as<std::size_t>(), 1, 6);
  Writers writers(for_server(kPerSecond), std::vector<std::size_t>(count, 0));
  std::size_t in_datagrams = 0;
  for (int ms = 0; ms < 10'000; ++ms) {
    writers.advance_a_millisecond();
    for (int i = 0; i < 3; ++i) {
      if (writers.server().take(1000, kPerSecond, writers.now())) in_datagrams += 1000;
    }
  }
  CHECK(writers.sum() >= 2'200'000);
  CHECK(writers.sum() <= 2'800'000);
  CHECK(is_within_five_percent_of(writers.sum() + in_datagrams, 10 * kPerSecond));
  check_equal_shares(writers.octets());
}

TEST_CASE("a new stream has its share at once, and a stream that stops leaves its share to others",
          "[turn][limits]") {
  Limits limits = for_user(1'000'000);
  Writers writers(limits, std::vector<std::size_t>(6, 0));
  for (int ms = 0; ms < 5000; ++ms) writers.advance_a_millisecond();
  writers.begin_again();
  for (int ms = 0; ms < 3000; ++ms) writers.advance_a_millisecond();
  check_equal_shares(writers.octets());
}

TEST_CASE("a higher limit holds for streams within a second", "[turn][limits]") {
  Writers writers(for_server(10), {0, 0});
  for (int ms = 0; ms < 1000; ++ms) writers.advance_a_millisecond();
  writers.set_limits(for_server(1'000'000));
  for (int ms = 0; ms < 1000; ++ms) writers.advance_a_millisecond();
  writers.begin_again();
  for (int ms = 0; ms < 1000; ++ms) writers.advance_a_millisecond();
  CHECK(is_within_five_percent_of(writers.sum(), 1'000'000));
}

// One stream with a limit of 100,000 octets per second.
struct Reader {
  static constexpr std::uint32_t kPerSecond = 100'000;

  void read(std::size_t taken, std::size_t relayed) { shaper.spend(limits, taken, relayed, now); }
  // Returns the debt in octets, at least 10,000, because smaller debts let datagrams pass.
  std::size_t unpaid() {
    ByteBudget& budget = server.of(kUp);
    SteadyTime at = now;
    while (!budget.take(0, kPerSecond, at)) at += 1ms;
    return static_cast<std::size_t>((at - now).count()) * 100 + 10'000;
  }

  ByteBudgets server;
  SharedBudgets budgets{std::make_shared<AllocationBudgets>(), std::make_shared<UserBudgets>()};
  StreamLimits limits = find_stream_limits(for_server(kPerSecond), budgets, server, kUp);
  SteadyTime now = ManualClock().now().steady;
  StreamShaper shaper;
};

TEST_CASE("a TLS record is paid for while it comes in", "[turn][limits]") {
  Reader reader;
  for (int i = 0; i < 16; ++i) reader.read(1000, 0);
  CHECK(reader.unpaid() == 16'000);
  reader.read(400, 16'384);  // and what the record has besides
  CHECK(reader.unpaid() == 16'400);
  reader.read(0, 1016);  // what came before anybody counted
  CHECK(reader.unpaid() == 17'400);
}

TEST_CASE("what small TLS records have besides is not paid for in the long run", "[turn][limits]") {
  Reader reader;
  for (int i = 0; i < 100'000; ++i) reader.read(52, 30);
  CHECK(reader.unpaid() >= 3'000'000);
  CHECK(reader.unpaid() <= 3'019'000);
}

}  // namespace
}  // namespace turnpike::turn
