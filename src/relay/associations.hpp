// The DTLS clients of one worker: it decides who becomes a client, which association a datagram belongs to,
// and how long each association stays. The clients share the listener sockets of the worker with plain UDP
// clients, and are distinguished by their 5-tuples. Nothing is stored for a client before it has returned its
// cookie.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/datagrams.hpp"
#include "net/dtls.hpp"
#include "net/dtls_hello.hpp"
#include "net/tls_context.hpp"
#include "relay/association_places.hpp"
#include "relay/client_book.hpp"
#include "relay/client_transport.hpp"
#include "relay/counters.hpp"
#include "relay/dtls_sender.hpp"
#include "relay/proxied_clients.hpp"
#include "relay/stream_limits.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/turn/client_policy.hpp"
#include "turnpike/turn/limiters.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

class Associations final : public ClientTransport {
 public:
  // All workers share these. They must outlive the workers.
  struct Shared {
    const net::CurrentTls* dtls;  // null when there is no certificate
    IdleConnections& idle;
    turn::Limiters& limiters;
  };

  using Ways = DtlsSender::Ways;

  // All references must outlive this object, and the sockets of the listeners must stay open.
  Associations(const Ways& ways, const Shared& shared, const StreamLimits& limits, crypto::Random& random,
               net::SendCounters& sends);
  // Sends close_notify to all clients.
  ~Associations() override;

  void use(const Settings& settings) override;

  // Whether there is a certificate, so that associations can begin. Plain UDP listeners then accept DTLS too.
  bool can_begin() const { return shared_.dtls != nullptr; }

  struct Received {
    FiveTuple tuple;
    // Valid until the next call. The octets that they view are valid until release_received(), or are in the
    // datagram's slot.
    std::span<const Bytes> messages;
    // The former association of this client, which this one has just replaced.
    std::optional<FiveTuple> replaced;
  };
  // Processes a datagram. `udp_path` is the path that a UDP client would have: the listener, and the flow
  // when the client comes through a load balancer.
  Received receive(PathId udp_path, const net::ReceivedDatagram& datagram, TimePoint now);
  void release_received() override { sender_.buffers().release_received(); }

  // The payload has been read when add() returns.
  void add(const turn::Output::ToClient& message, Bytes head) override;
  void send() override;

  void set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now) override;

  std::span<const FiveTuple> ended() const override { return book_.ended(); }
  void remove_ended() override;

  void on_timeout(TimePoint now) override;
  SteadyTime next_deadline() const override { return book_.deadlines().next(); }

  void add_counters_to(Totals& totals) const override;
  std::uint64_t out_of_memory() const override { return counters_.out_of_memory; }

 private:
  // The most handshakes of one worker at a time. When there are more, the oldest one is given up, since it
  // has had the most time.
  static constexpr std::size_t kMaxHandshakes = 1024;
  // The most handshakes that begin in one pass. Each needs a signature, which costs as much as hundreds of
  // relayed packets. A client that comes later in the pass sends its hello again.
  static constexpr std::uint32_t kBegunPerPass = 4;
  // An association that has received nothing for this long frees its buffers.
  static constexpr Duration kQuiet = std::chrono::seconds(4);

  struct Association : ClientConnection, boost::intrusive::list_base_hook<> {
    Association(const net::TlsContext& context, const net::DtlsHello& hello, net::DtlsBuffers& buffers)
        : dtls(context, hello, buffers) {}

    net::DtlsAssociation dtls;
    PathId udp_path{};                             // as receive() has it
    SteadyTime retransmit_at = SteadyTime::max();  // of the handshake
    SteadyTime rest_at = SteadyTime::max();        // established, and not resting yet
    SteadyTime busy_until{};                       // its buffers are not freed before this time
    bool is_handshake = true;                      // until it is established, and in the list of handshakes
  };
  using State = net::DtlsAssociation::State;

  std::optional<FiveTuple> apply_state(Association& association, State state, TimePoint now);
  std::optional<FiveTuple> establish(Association& association, TimePoint now);

  Received on_hello(const FiveTuple& key, const net::DtlsHello& hello, Bytes datagram, TimePoint now);
  void answer_hello(const FiveTuple& key, const net::DtlsHello& hello, TimePoint now);
  Association* begin(const FiveTuple& key, const net::DtlsHello& hello, TimePoint now);
  Association* make(const FiveTuple& key, const net::DtlsHello& hello);

  void end(Association& association);
  void update_wake_time(Association& association);
  void note_activity(Association& association);
  static void free_buffers_if_quiet(Association& association, SteadyTime now);

  const Ways ways_;
  const Shared shared_;
  StreamLimits limits_;
  const turn::ClientPolicy* clients_ = nullptr;
  AssociationCounters counters_;
  crypto::Digester digester_;
  net::DtlsCookies cookies_;
  DtlsSender sender_;
  std::uint32_t begun_in_pass_ = 0;
  SteadyTime now_{};  // the time of the last call that had one

  ClientBook<Association> book_;
  AssociationPlaces<Association> places_;
  std::vector<Bytes> messages_;
};

}  // namespace turnpike::relay
