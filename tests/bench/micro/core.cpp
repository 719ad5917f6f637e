// Measures the core's whole work for one datagram: turn::Server is called with it and fills an Output.
// Nothing is received and nothing is sent. The argument is the number of clients, which send one after
// another.
#include <benchmark/benchmark.h>

#include "bench/micro/relay_core.hpp"

namespace turnpike::bench {
namespace {

constexpr std::size_t kPayload = 160;
constexpr std::size_t kBatch = 64;  // datagrams in an Output, before it is cleared as the worker clears it

// Calls step(client, out) for every client in turn. The step adds one message to the list.
template <class List, class Step>
void run(benchmark::State& state, List list, Step step) {
  const auto clients = static_cast<unsigned>(state.range(0));
  turn::Output out;
  unsigned client = 0;
  for ([[maybe_unused]] auto _ : state) {
    step(client, out);
    client = client + 1 == clients ? 0 : client + 1;
    if ((out.*list)().size() == kBatch) out.clear();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
  // One more step shows that the steps do their work.
  out.clear();
  step(client, out);
  if ((out.*list)().size() != 1) state.SkipWithError("nothing came out");
}

void channel_data_to_peer(benchmark::State& state) {
  RelayCore core(static_cast<unsigned>(state.range(0)));
  const test::Octets message = test::channel_data(0x4000, std::string(kPayload, 'x'));
  run(state, &turn::Output::to_peers, [&](unsigned client, turn::Output& out) {
    core.server().on_client(RelayCore::tuple(client), message, core.now(), out);
  });
}
BENCHMARK(channel_data_to_peer)->Arg(1)->Arg(50)->Arg(1000)->Arg(10000);

void send_indication_to_peer(benchmark::State& state) {
  RelayCore core(static_cast<unsigned>(state.range(0)));
  std::vector<test::Octets> messages;
  for (unsigned n = 0; n < static_cast<unsigned>(state.range(0)); ++n) {
    messages.push_back(
        core.sign(test::send(RelayCore::stranger(n).to_string(), std::string(kPayload, 'x')), n));
  }
  run(state, &turn::Output::to_peers, [&](unsigned client, turn::Output& out) {
    core.server().on_client(RelayCore::tuple(client), messages[client], core.now(), out);
  });
}
BENCHMARK(send_indication_to_peer)->Arg(50);

void datagram_of_peer_to_client(benchmark::State& state) {
  RelayCore core(static_cast<unsigned>(state.range(0)));
  const test::Octets payload(kPayload, 'x');
  run(state, &turn::Output::to_clients, [&](unsigned client, turn::Output& out) {
    core.server().on_peer(RelayCore::relay(client), RelayCore::stranger(client), payload, core.now(), out);
  });
}
BENCHMARK(datagram_of_peer_to_client)->Arg(1)->Arg(50)->Arg(1000)->Arg(10000);

void channel_data_from_relay_to_relay(benchmark::State& state) {
  RelayCore core(static_cast<unsigned>(state.range(0)), RelayCore::Peers::neighbours);
  const test::Octets message = test::channel_data(0x4000, std::string(kPayload, 'x'));
  run(state, &turn::Output::to_clients, [&](unsigned client, turn::Output& out) {
    core.server().on_client(RelayCore::tuple(client), message, core.now(), out);
  });
}
BENCHMARK(channel_data_from_relay_to_relay)->Arg(50)->Arg(1000);

void binding_request(benchmark::State& state) {
  RelayCore core(static_cast<unsigned>(state.range(0)));
  const test::Octets message = core.sign(test::binding(), 0);
  run(state, &turn::Output::to_clients, [&](unsigned client, turn::Output& out) {
    core.server().on_client(RelayCore::tuple(client), message, core.now(), out);
  });
}
BENCHMARK(binding_request)->Arg(50);

// The request's integrity is verified, and the answer is signed.
void refresh_request(benchmark::State& state) {
  RelayCore core(static_cast<unsigned>(state.range(0)));
  std::vector<test::Octets> messages;
  for (unsigned n = 0; n < static_cast<unsigned>(state.range(0)); ++n) {
    messages.push_back(core.sign(test::refresh(), n));
  }
  run(state, &turn::Output::to_clients, [&](unsigned client, turn::Output& out) {
    core.server().on_client(RelayCore::tuple(client), messages[client], core.now(), out);
  });
}
BENCHMARK(refresh_request)->Arg(50);

}  // namespace
}  // namespace turnpike::bench
