#include "bench/micro/relay_core.hpp"

namespace turnpike::bench {
namespace {

constexpr unsigned kMaxClients = 10000;

}  // namespace

RelayCore::RelayCore(unsigned clients, Peers peers) {
  server_ = std::make_unique<turn::Server>(turn::ServerParams{
      {&credentials_, &policy_, nullptr, limits_}, relays_, quota_, quota_, limiters_, random_});
  for (unsigned n = 0; n < clients; ++n) {
    const test::Octets refusal = ask(n, test::allocate().unsigned_by_anybody().build(digester_, "", {}));
    nonces_.emplace_back(
        as_text(stun::MessageView::parse(refusal)->find(stun::AttributeType::nonce).value()));
    expect_success(n, sign(test::allocate(), n));
    const Endpoint peer = peers == Peers::strangers ? stranger(n) : CountedRelays::address_of(n ^ 1);
    expect_success(n, sign(test::channel_bind(0x4000, peer.to_string()), n));
  }
}

test::Octets RelayCore::sign(const test::RequestMaker& request, unsigned n) {
  return request.build(digester_, nonces_[n], {});
}

const std::vector<FiveTuple>& RelayCore::tuples() {
  static const std::vector<FiveTuple> kTuples = [] {
    std::vector<FiveTuple> all;
    for (unsigned n = 0; n < kMaxClients; ++n) all.push_back(test::client(n).tuple);
    return all;
  }();
  return kTuples;
}

test::Octets RelayCore::ask(unsigned n, const test::Octets& request) {
  turn::Output out;
  server_->on_client(tuple(n), request, now(), out);
  const Bytes answer = out.head(out.to_clients().at(0));
  return {answer.begin(), answer.end()};
}

void RelayCore::expect_success(unsigned n, const test::Octets& request) {
  const test::Octets answer = ask(n, request);
  if (stun::MessageView::parse(answer)->message_class() != stun::Class::success)
    throw std::runtime_error("the server refuses a request");
}

}  // namespace turnpike::bench
