// A worker: one thread, its own SO_REUSEPORT socket of every listener, its relay sockets and its
// turn::Server. The kernel sends a client always to the same worker, so nothing on the relayed path is shared
// or locked.
//
// It waits on an epoll set of its own and not in an io_context: through Asio each wake-up costs three system
// calls where one will do, which at moderate rates is a tenth of what relaying a packet costs. Asio drives
// the control plane.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "net/datagrams.hpp"
#include "net/fd.hpp"
#include "net/system_random.hpp"
#include "server/relay_sockets.hpp"
#include "server/streams.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::server {

// One worker's UDP socket of a listener.
struct ListenerSocket {
  net::Fd socket;
  Endpoint endpoint;  // an unspecified address for a wildcard listener
};

// All sockets of one worker that clients come to.
struct WorkerListeners {
  std::vector<ListenerSocket> udp;
  std::vector<StreamListener> streams;
};

class Worker : private RelaySockets::Host {
 public:
  // What all workers share; outlives them.
  struct Shared {
    const auth::CredentialStore& credentials;
    const turn::PeerPolicy& policy;
    RelayPool& relays;
    turn::Quota& quota;
    AddressLimiter& limiter;
    turn::Limits limits;
    auth::Nonces::MasterKey nonce_key{};
    Duration nonce_lifetime{};
    Streams::Shared streams;
  };

  // Throws std::system_error.
  Worker(const Shared& shared, WorkerListeners listeners);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  // Ends the loop and joins the thread; the allocations end with the worker. Call once.
  void stop();

  // To be read after stop().
  const turn::Counters& counters() const { return server_.counters(); }
  const net::SendCounters& sends() const { return sends_; }
  std::uint64_t exhausted() const { return relays_.exhausted(); }
  const Streams& streams() const { return streams_; }

 private:
  void run();
  bool watch_relay(int fd, turn::RelayId relay) override;
  void before_close(turn::RelayId relay) override;
  int timeout_ms(SteadyTime now) const;
  void on_event(const epoll_event& event, TimePoint now);
  void on_listener(std::uint32_t index, TimePoint now);
  void on_stream(std::uint64_t tag, std::uint32_t events, TimePoint now);
  void on_relay(turn::RelayId relay, int fd, std::uint32_t events, TimePoint now);
  void take_relay_errors(turn::RelayId relay, int fd, TimePoint now);

  // Carries out what the server wants and makes the receive pools free again.
  void flush(TimePoint now);
  void send_to_peers();
  void send_dont_fragment(const turn::Output::ToPeer& message);
  void send_to_clients();
  void part_with_ended(TimePoint now);

  bool watch(int fd, std::uint64_t tag);

  net::SystemRandom random_;
  net::Fd epoll_;
  net::Fd wake_;
  std::vector<ListenerSocket> listeners_;
  turn::Output output_;
  net::ReceivePool received_;
  net::SendCounters sends_;
  net::SendBatch batch_{sends_};
  Streams streams_;
  RelaySockets relays_;
  turn::Server server_;  // goes first, and closes its relays while all else is there
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace turnpike::server
