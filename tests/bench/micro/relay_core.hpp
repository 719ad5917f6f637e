// turn::Server with many clients, as a worker drives it, but without sockets and with a clock that stands
// still. Each client has an allocation, and channel 0x4000 is bound to a peer.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/manual_clock.hpp"
#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::bench {

// Relays without sockets, each with a port of 192.0.2.1.
class CountedRelays : public turn::RelayPorts {
 public:
  static Endpoint address_of(std::uint32_t relay) {
    return {test::address("192.0.2.1"), static_cast<std::uint16_t>(kFirstPort + relay)};
  }

  Result<turn::Relay, turn::RelayError> open(const turn::RelayRequest&) override {
    const Endpoint local = address_of(opened_);
    return turn::Relay(*this, turn::RelayId{opened_++}, local, local);
  }
  Result<turn::Relay, turn::RelayError> claim(const stun::ReservationToken&, std::string_view,
                                              turn::QuotaSlot&) override {
    return turn::RelayError::no_reservation;
  }
  void release(const stun::ReservationToken&) override {}
  bool supports(Family family) const override { return family == Family::ipv4; }
  bool is_live(const Endpoint&, turn::RelayedTransport) const override { return true; }
  IpAddress to_advertised(const IpAddress& local) const override { return local; }
  IpAddress to_local(const IpAddress& advertised) const override { return advertised; }

 private:
  static constexpr std::uint32_t kFirstPort = 20000;

  void close(turn::RelayId) override {}

  std::uint32_t opened_ = 0;
};

class RelayCore {
 public:
  // Who the peers are: strangers, or each client's neighbour by its relayed address. Two neighbours talk to
  // each other, so their number must be even.
  enum class Peers : std::uint8_t { strangers, neighbours };

  explicit RelayCore(unsigned clients, Peers peers = Peers::strangers);

  static const FiveTuple& tuple(unsigned n) { return tuples()[n]; }
  static turn::RelayId relay(unsigned n) { return turn::RelayId{n}; }
  static Endpoint stranger(unsigned n) { return test::peer_number(n); }

  turn::Server& server() { return *server_; }
  TimePoint now() const { return clock_.now(); }
  // A request of client n, signed and with a valid nonce.
  test::Octets sign(const test::RequestMaker& request, unsigned n);

 private:
  static const std::vector<FiveTuple>& tuples();
  // Sends a request and copies the answer.
  test::Octets ask(unsigned n, const test::Octets& request);
  void expect_success(unsigned n, const test::Octets& request);

  test::ManualClock clock_;
  test::ScriptedRandom random_;
  crypto::Digester digester_;
  auth::CredentialStore credentials_{{std::string(test::kRealm), {{"alice", "alice's password", {}, {}}}, {}},
                                     digester_};
  turn::PeerPolicy policy_{{.peers = {}, .own_addresses = {test::address("192.0.2.1")}}};
  turn::Limits limits_{.allocations_per_user = 0,
                       .unauthenticated_per_second = 0,
                       .bindings_per_second = 0,
                       .failures_per_second = 0};
  turn::Limiters limiters_{limits_, HashKey{}};
  turn::Quota quota_{0, 0, HashKey{}};  // no limits
  CountedRelays relays_;
  std::vector<std::string> nonces_;  // by client
  std::unique_ptr<turn::Server> server_;
};

}  // namespace turnpike::bench
