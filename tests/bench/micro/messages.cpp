// Measures how long it takes to parse messages, and to make and verify their integrity attributes.
#include <benchmark/benchmark.h>

#include "support/request_maker.hpp"
#include "turnpike/stun/channel_data.hpp"

namespace turnpike::bench {
namespace {

constexpr std::string_view kNonce = "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA";  // as long as ours

test::Octets allocate_request(crypto::Digester& digester, test::Signing signing) {
  return test::allocate().signing(signing).build(digester, kNonce, {});
}

void parse(benchmark::State& state, const test::Octets& message) {
  for ([[maybe_unused]] auto _ : state) {
    auto view = stun::MessageView::parse(message);
    benchmark::DoNotOptimize(view);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * message.size()));
}

void parse_binding_request(benchmark::State& state) {
  crypto::Digester digester;
  parse(state, test::binding().build(digester, "", {}));
}
BENCHMARK(parse_binding_request);

void parse_binding_request_with_fingerprint(benchmark::State& state) {
  crypto::Digester digester;
  parse(state, test::binding().fingerprint().build(digester, "", {}));
}
BENCHMARK(parse_binding_request_with_fingerprint);

void parse_allocate_request(benchmark::State& state) {
  crypto::Digester digester;
  parse(state, allocate_request(digester, test::Signing::sha1));
}
BENCHMARK(parse_allocate_request);

void parse_channel_data(benchmark::State& state) {
  const test::Octets message = test::channel_data(0x4000, std::string(160, 'x'));
  for ([[maybe_unused]] auto _ : state) {
    auto data = stun::ChannelData::parse(message);
    benchmark::DoNotOptimize(data);
  }
}
BENCHMARK(parse_channel_data);

template <test::Signing signing>
void verify_integrity(benchmark::State& state) {
  crypto::Digester digester;
  const test::Octets message = allocate_request(digester, signing);
  const auth::Key key = test::allocate().key(digester);
  const auto view = stun::MessageView::parse(message);
  bool valid = true;
  for ([[maybe_unused]] auto _ : state) {
    valid = valid && (signing == test::Signing::sha1 ? view->verify_integrity_sha1(digester, key.bytes())
                                                     : view->verify_integrity_sha256(digester, key.bytes()));
  }
  if (!valid) state.SkipWithError("the integrity is wrong");
}
BENCHMARK_TEMPLATE(verify_integrity, test::Signing::sha1)->Name("verify_message_integrity_sha1");
BENCHMARK_TEMPLATE(verify_integrity, test::Signing::sha256)->Name("verify_message_integrity_sha256");

// Builds a whole success response to Refresh.
template <test::Signing signing>
void build_response(benchmark::State& state) {
  crypto::Digester digester;
  const auth::Key key = test::allocate().key(digester);
  test::Octets buffer(stun::kMaxMessageSize);
  for ([[maybe_unused]] auto _ : state) {
    stun::MessageBuilder builder(buffer, {stun::Method::refresh, stun::Class::success}, {});
    builder.add_lifetime(std::chrono::seconds(600));
    if (signing == test::Signing::sha1) {
      builder.add_integrity_sha1(digester, key.bytes());
    } else {
      builder.add_integrity_sha256(digester, key.bytes());
    }
    benchmark::DoNotOptimize(builder.bytes());
  }
}
BENCHMARK_TEMPLATE(build_response, test::Signing::sha1)->Name("build_response_sha1");
BENCHMARK_TEMPLATE(build_response, test::Signing::sha256)->Name("build_response_sha256");

}  // namespace
}  // namespace turnpike::bench
