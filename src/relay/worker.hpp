// A worker: one thread, its own SO_REUSEPORT socket of every listener, its relay sockets and its
// turn::Server. The kernel sends a client always to the same worker, so nothing on the relayed path is shared
// or locked.
//
// It waits on its own epoll set and not in an io_context: with Asio each wake-up costs three system calls
// instead of one, which at moderate rates is a tenth of the cost of relaying a packet. Asio drives the
// control plane.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "net/datagrams.hpp"
#include "net/system_random.hpp"
#include "relay/clients.hpp"
#include "relay/counters.hpp"
#include "relay/event_log.hpp"
#include "relay/event_tag.hpp"
#include "relay/loop_thread.hpp"
#include "relay/mail_handler.hpp"
#include "relay/mailbox.hpp"
#include "relay/outbox.hpp"
#include "relay/pass_pacing.hpp"
#include "relay/peer_sender.hpp"
#include "relay/relay_sockets.hpp"
#include "relay/roaming.hpp"
#include "relay/settings.hpp"
#include "relay/tcp_relays.hpp"
#include "relay/warnings.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::relay {

class Worker final : private RelaySockets::Host, private PeerSender::Host, private MailHandler::Host {
 public:
  // All workers share these. They must outlive the workers.
  struct Shared {
    std::shared_ptr<const Settings> settings;  // the settings at the start; a SettingsUpdate replaces them
    RelayPool& relays;
    turn::Quota& quota;
    turn::Quota& connection_quota;
    turn::Quota& address_quota;
    turn::ByteBudgets& server_budgets;
    Warnings& warnings;
    turn::Limiters& limiters;
    NetworkHints& hints;
    auth::Nonces::MasterKey nonce_key{};
    turn::NatDiscoveries nat_discoveries{};
    Clients::Shared clients;
    PeerConnectionTable& peer_connections;
    std::deque<Mailbox>& mailboxes;  // one for each worker
    bool relays_tcp = false;         // RFC 6062
    bool mobility = false;           // RFC 8016
  };

  // `number` is its place among the workers. Throws std::system_error.
  Worker(const Shared& shared, unsigned number, WorkerListeners listeners);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start() {
    thread_.start([this] { run(); });
  }
  // Ends the loop and joins the thread. All allocations of the worker end. Call it once.
  void stop() { thread_.stop(); }

  // Adds what this worker has counted so far. Any thread may call it while the worker runs.
  void add_counters_to(Totals& totals) const;

 private:
  friend class Clients;  // Clients calls on_client(), on_client_closed() and flush()

  template <class Act>
  bool attempt(Act&& act) {
    return relay::attempt(counters_.out_of_memory, std::forward<Act>(act));
  }
  std::uint64_t out_of_memory() const;
  void run();
  void expire(TimePoint now);
  void carry_out(TimePoint now);
  bool watch_relay(int fd, turn::RelayId relay) override;
  int timeout_ms(SteadyTime now) const;
  void on_event(EventTag tag, std::uint32_t events, TimePoint now);
  void on_relay(RelayEvent event, std::uint32_t events, TimePoint now);
  void on_peer_connection(PeerConnectionEvent event, std::uint32_t events, TimePoint now);
  void accept_peers(turn::RelayId relay, int fd, TimePoint now);
  void on_client(const FiveTuple& tuple, Bytes message, TimePoint now) override;
  void on_client_closed(const FiveTuple& tuple, TimePoint now);
  void begin_forwards(TimePoint now);
  void handle_mail(TimePoint now);
  void on_settings(const std::shared_ptr<const Settings>& settings, TimePoint now) override;
  void use(const Settings& settings);
  void on_icmp(turn::RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, TimePoint now) override;

  // Carries out what the server wants and makes the receive pools free again.
  void flush(TimePoint now);
  void warn(TimePoint now);
  void settle_tcp_relays(TimePoint now);

  LoopThread thread_;  // ends before the members below; see the destructor
  net::SystemRandom random_;
  Warnings& warnings_;
  WorkerCounters counters_;
  PassPacing pacing_;
  Mailbox& mailbox_;
  EventLog event_log_;
  net::ReceivePool received_;
  net::SendCounters sends_;
  Clients clients_;
  RelaySockets relays_;
  TcpRelays tcp_relays_;
  Roaming roaming_;
  Outbox outbox_;
  std::shared_ptr<const Settings> settings_;
  turn::Output output_;  // is destroyed before relays_, since it may have relays to be closed
  turn::Server server_;  // is destroyed first of the members above, so that it can close its relays
  MailHandler mail_handler_;
};

}  // namespace turnpike::relay
