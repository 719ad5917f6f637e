// The plain UDP clients of one worker: its listener sockets, and how answers reach each client, directly or
// through a load balancer. DTLS clients come to the same sockets.
#pragma once

#include <vector>

#include "net/datagrams.hpp"
#include "relay/client_transport.hpp"
#include "relay/listener_socket.hpp"
#include "relay/proxied_clients.hpp"
#include "turnpike/crypto/random.hpp"

namespace turnpike::relay {

class UdpClients final : public ClientTransport {
 public:
  // `sends` must outlive this object.
  UdpClients(std::vector<ListenerSocket> listeners, crypto::Random& random, net::SendCounters& sends)
      : listeners_(std::move(listeners)), proxied_(crypto::draw_hash_key(random)), batch_(sends) {}

  const std::vector<ListenerSocket>& listeners() const { return listeners_; }
  ProxiedClients& proxied() { return proxied_; }

  void add(const turn::Output::ToClient& message, Bytes head) override;
  void send() override { batch_.send(); }

  void set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint) override {
    proxied_.set_allocation(tuple.path, has_allocation);
  }

  void on_timeout(TimePoint now) override { proxied_.on_timeout(now.steady); }
  SteadyTime next_deadline() const override { return proxied_.next_deadline(); }

  void use(const Settings&) override {}

  void add_counters_to(Totals& totals) const override {
    totals.add(proxied_.counters());
    totals.histograms.sent_runs += batch_.runs();
  }
  std::uint64_t out_of_memory() const override { return 0; }

 private:
  std::vector<ListenerSocket> listeners_;
  ProxiedClients proxied_;
  net::SendBatch batch_;
};

}  // namespace turnpike::relay
