// Measures the look-ups that find a datagram's route. The argument is the number of entries, and each look-up
// asks for another one.
#include <benchmark/benchmark.h>

#include "bench/micro/relay_core.hpp"
#include "turnpike/turn/peer_table.hpp"

namespace turnpike::bench {
namespace {

// Calls find(n) for the entries in an order that the processor cannot predict.
template <class Find>
void look_up(benchmark::State& state, Find find) {
  constexpr std::uint64_t kStride = 7919;  // a prime, so that every entry has its turn
  const auto entries = static_cast<std::uint64_t>(state.range(0));
  std::uint64_t n = 0;
  bool found = true;
  for ([[maybe_unused]] auto _ : state) {
    n = (n + kStride) % entries;
    found = found && find(static_cast<unsigned>(n));
  }
  if (!found) state.SkipWithError("an entry is missing");
}

void find_allocation_of_client(benchmark::State& state) {
  RelayCore core(static_cast<unsigned>(state.range(0)));
  look_up(state, [&](unsigned n) { return core.server().knows(RelayCore::tuple(n)); });
}
BENCHMARK(find_allocation_of_client)->Arg(1)->Arg(50)->Arg(1000)->Arg(10000);

// One client with many peers.
class Channels {
 public:
  explicit Channels(benchmark::State& state) {
    for (unsigned n = 0; n < static_cast<unsigned>(state.range(0)); ++n)
      table.bind(number(n), test::peer_number(n), turn::RelayId{0}, turn::Reach::allowed, now);
  }

  static stun::ChannelNumber number(unsigned n) {
    return *stun::ChannelNumber::from_wire(static_cast<std::uint16_t>(0x4000 + n));
  }

  const SteadyTime now = test::ManualClock().now().steady;
  turn::PeerTable table;
};

void find_channel_by_number(benchmark::State& state) {
  const Channels channels(state);
  look_up(state, [&](unsigned n) { return channels.table.find_channel(Channels::number(n)) != nullptr; });
}
BENCHMARK(find_channel_by_number)->Arg(1)->Arg(10)->Arg(1000);

void find_channel_by_peer(benchmark::State& state) {
  const Channels channels(state);
  look_up(state, [&](unsigned n) { return channels.table.find_channel(test::peer_number(n)) != nullptr; });
}
BENCHMARK(find_channel_by_peer)->Arg(1)->Arg(10)->Arg(1000);

void find_permission(benchmark::State& state) {
  const Channels channels(state);
  look_up(state, [&](unsigned n) {
    return channels.table.find_permission(test::peer_number(n).address, channels.now) != nullptr;
  });
}
BENCHMARK(find_permission)->Arg(1)->Arg(10)->Arg(1000);

}  // namespace
}  // namespace turnpike::bench
