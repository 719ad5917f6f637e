// Opens the sockets of relayed transport addresses, and knows which ports are taken or reserved. All workers
// share a RelayPool; each worker opens and closes sockets through its own RelaySockets.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/fd.hpp"
#include "relay/counters.hpp"
#include "relay/relay_addresses.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/port_map.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::relay {

// A port that was taken in a port map. The destructor releases it.
class PortLease {
 public:
  PortLease() = default;
  PortLease(std::shared_ptr<turn::PortMap> ports, std::uint16_t port)
      : ports_(std::move(ports)), port_(port) {}
  PortLease(PortLease&&) = default;  // leaves the other one empty
  PortLease& operator=(PortLease&& other) noexcept {
    std::swap(ports_, other.ports_);
    std::swap(port_, other.port_);
    return *this;
  }
  ~PortLease() {
    if (ports_) ports_->release(port_);
  }

  std::uint16_t port() const { return port_; }
  void give_to(std::uint16_t worker) const { ports_->give_to(port_, worker); }

 private:
  std::shared_ptr<turn::PortMap> ports_;
  std::uint16_t port_ = 0;
};

// A bound socket and its port in the map. `socket` is the last member, so it is closed before the port is
// released: a port that is free in the map must be free to bind.
struct BoundRelay {
  PortLease port;
  Endpoint local;
  turn::RelayedTransport transport = turn::RelayedTransport::udp;
  net::Fd socket;
};

// The relayed addresses and reservations of this process. Workers may call reserve(), take_reservation(),
// drop_reservation() and receive_buffer(); only the main thread may call the others.
class RelayPool {
 public:
  // `local` are the addresses that `auto` uses. `listeners` are the addresses of the listeners, as they are
  // configured. Throws std::runtime_error when a configured address is not of this machine, or when an
  // advertised one has not exactly one relayed address to stand for.
  RelayPool(const turn::RelayParams& params, const net::LocalAddresses& local,
            std::vector<IpAddress> listeners = {});

  // The latest snapshot, which is sent to the workers.
  const std::shared_ptr<const RelayAddresses>& addresses() const { return addresses_; }
  // Throws std::runtime_error when use() would throw it.
  void check(const turn::RelayParams& params, const net::LocalAddresses& local) const;
  // Changes the advertised addresses and the receive buffer of new sockets. The rest of `params` has no
  // effect. Throws std::runtime_error, and changes nothing, when a newly advertised address does not have
  // exactly one relayed address to stand for.
  void use(const turn::RelayParams& params, const net::LocalAddresses& local);
  // Uses the new addresses of the machine, if the configuration says `auto`.
  void follow(const net::LocalAddresses& local);

  // Sentences for the operator: entries of relay.advertise whose local addresses the machine does not have
  // now.
  std::vector<std::string> absent_locals() const;

  // Reservations (RFC 8656 §7.2), which any worker may be asked for. reserve() stores a reserved port, and
  // its place in the quota, under a token. take_reservation() gives both to the owner, and nothing to others
  // or for an unknown token. drop_reservation() ends it.
  void reserve(const stun::ReservationToken& token, std::string_view owner, BoundRelay relay,
               turn::QuotaSlot slot);
  std::optional<BoundRelay> take_reservation(const stun::ReservationToken& token, std::string_view owner,
                                             turn::QuotaSlot& slot);
  void drop_reservation(const stun::ReservationToken& token);

  // The relayed addresses that are private and have no advertised address, so that clients on the Internet
  // cannot reach them.
  std::vector<IpAddress> private_without_advertisement() const;
  bool is_public_to_clients(const IpAddress& local) const;

  // The number of taken ports and of all ports (`of`), at the address of this machine that has the fewest
  // free ones. Both are 0 when nothing can be relayed.
  struct PortUse {
    std::uint32_t taken = 0;
    std::uint32_t of = 0;
  };
  PortUse port_use() const;

  std::uint32_t receive_buffer() const { return receive_buffer_; }  // bytes, of each socket

 private:
  struct Reservation {
    std::string owner;
    BoundRelay relay;
    turn::QuotaSlot slot;
  };

  void check_advertised(const IpAddress& public_address, const net::LocalAddresses& local) const;
  void rebuild(const net::LocalAddresses& local);
  std::shared_ptr<turn::PortMap> ports_for(const IpAddress& address);
  std::vector<IpAddress> relayed_addresses(Family family, const net::LocalAddresses& local) const;
  RelayAddresses::Advertised advertised_now(const net::LocalAddresses& local) const;

  const std::vector<IpAddress> configured_;  // empty: auto
  const std::uint16_t first_port_;
  const std::uint16_t last_port_;
  std::atomic<std::uint32_t> receive_buffer_;
  // This also contains addresses that were removed from the machine, while they have an allocation, since
  // they may come back.
  std::map<IpAddress, std::weak_ptr<turn::PortMap>> ports_;
  std::shared_ptr<const RelayAddresses> addresses_;
  std::map<IpAddress, IpAddress> advertise_;
  std::vector<IpAddress> advertise_for_only_;
  const std::vector<IpAddress> listeners_;
  std::mutex reservations_mutex_;
  std::map<stun::ReservationToken, Reservation> reservations_;
};

// One worker's relay sockets. RelayId is the file descriptor.
class RelaySockets : public turn::RelayPorts {
 public:
  // The worker, which waits for what the sockets receive.
  class Host {
   public:
    virtual ~Host() = default;
    // Has on_peer called with what `fd` receives for `relay`; false when it cannot.
    virtual bool watch_relay(int fd, turn::RelayId relay) = 0;
  };

  // All references must outlive this object. `worker` is the number of its worker.
  RelaySockets(RelayPool& pool, crypto::Random& random, Host& host, std::uint16_t worker)
      : pool_(pool), addresses_(pool.addresses()), random_(random), host_(host), worker_(worker) {}

  // Opens new relays on these addresses. Open relays stay on theirs.
  void use(std::shared_ptr<const RelayAddresses> addresses) { addresses_ = std::move(addresses); }

  Result<turn::Relay, turn::RelayError> open(const turn::RelayRequest& request) override;
  Result<turn::Relay, turn::RelayError> claim(const stun::ReservationToken& token, std::string_view owner,
                                              turn::QuotaSlot& slot) override;
  void release(const stun::ReservationToken& token) override { pool_.drop_reservation(token); }
  void prepare(turn::RelayId id) override;
  bool supports(Family family) const override { return addresses_->supports(family); }
  bool is_live(const Endpoint& local, turn::RelayedTransport transport) const override {
    return addresses_->is_live(local, transport);
  }
  std::optional<std::uint16_t> other_worker(const Endpoint& local) const override {
    const auto worker = addresses_->worker_of(local);
    return worker == worker_ ? std::nullopt : worker;
  }
  IpAddress to_advertised(const IpAddress& local) const override { return addresses_->to_advertised(local); }
  IpAddress to_local(const IpAddress& advertised) const override { return addresses_->to_local(advertised); }

  // The socket to send to `peer` with. A relay that keeps sending to one peer gets a second socket on its
  // port, connected to that peer: the kernel then looks up the route once and not for every datagram, a tenth
  // of what relaying one costs.
  struct Route {
    int fd = -1;
    bool connected = false;  // the socket is connected to `peer`, so pass no address
  };
  Route route_to(turn::RelayId relay, const Endpoint& peer);

  // What `fd` is used for by this relay. `none`: the relay has closed it, and another relay may have opened
  // it again.
  enum class Role : std::uint8_t { none, udp, tcp_listener };
  Role role_of(turn::RelayId relay, int fd) const;

  // Where an open relay is bound.
  const Endpoint& local_of(turn::RelayId relay) const {
    return open_[static_cast<std::size_t>(relay)]->bound.local;
  }

  // Counts allocations that were refused for want of a socket or a port.
  const RelaySocketCounters& counters() const { return counters_; }

 protected:
  void close(turn::RelayId id) override;

 private:
  std::optional<BoundRelay> bind(const IpAddress& address, const std::shared_ptr<turn::PortMap>& ports,
                                 const turn::RelayRequest& request, BoundRelay* next);
  Result<turn::Relay, turn::RelayError> adopt(BoundRelay bound);

  struct OpenRelay {
    explicit OpenRelay(BoundRelay b) : bound(std::move(b)) {}

    BoundRelay bound;
    bool is_prepared = false;
    net::Fd connected;
    Endpoint connected_to;
    Endpoint other_peer;         // the last peer that it sent to without the connected socket
    std::uint32_t in_a_row = 0;  // how many datagrams in a row went to `other_peer`
  };
  void connect(turn::RelayId relay, OpenRelay& open, const Endpoint& peer);

  RelayPool& pool_;
  std::shared_ptr<const RelayAddresses> addresses_;
  crypto::Random& random_;
  Host& host_;
  const std::uint16_t worker_;
  std::vector<std::unique_ptr<OpenRelay>> open_;  // by RelayId; null when none is open
  RelaySocketCounters counters_;
};

}  // namespace turnpike::relay
