// Relayed transport addresses as real sockets: which address and port, who holds which, and what is reserved.
// What all workers share is in RelayPool; each worker opens and closes through its own RelaySockets.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/fd.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/port_map.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::server {

// A bound socket and its place in the port map.
struct BoundRelay {
  net::Fd socket;
  Endpoint local;
};

// The relay addresses of this process. Immutable but for the port maps, which are lock-free, and the
// reservations.
class RelayPool {
 public:
  // `local_addresses` are what `auto` may turn into. Throws std::runtime_error when a configured address is
  // not of this machine.
  RelayPool(const turn::RelayParams& params, const std::vector<IpAddress>& local_addresses);

  // The relay address for a client that came to `client_side`.
  std::optional<IpAddress> choose_address(Family family, const IpAddress& client_side,
                                          crypto::Random& random) const;
  turn::PortMap* ports_of(const IpAddress& address) const;
  bool supports(Family family) const { return family == Family::ipv4 ? supports_v4_ : supports_v6_; }

  IpAddress to_advertised(const IpAddress& local) const;
  IpAddress to_local(const IpAddress& advertised) const;

  // Reservations wait here for whichever worker is asked (RFC 8656 §7.2).
  void reserve(const stun::ReservationToken& token, std::string_view owner, BoundRelay relay);
  std::optional<BoundRelay> take_reservation(const stun::ReservationToken& token, std::string_view owner);
  void drop_reservation(const stun::ReservationToken& token);

  // Relay addresses that clients on the Internet will not reach as they are.
  std::vector<IpAddress> private_without_advertisement() const;

 private:
  struct Reservation {
    std::string owner;
    BoundRelay relay;
  };

  std::vector<IpAddress> configured_;  // empty: auto
  std::optional<IpAddress> default_v4_;
  std::optional<IpAddress> default_v6_;
  bool supports_v4_ = false;
  bool supports_v6_ = false;
  std::map<IpAddress, IpAddress> advertise_;
  std::map<IpAddress, IpAddress> advertised_to_local_;
  boost::unordered_flat_map<IpAddress, std::unique_ptr<turn::PortMap>> ports_;
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
    virtual void before_close(turn::RelayId relay) = 0;
  };

  // All references outlive this.
  RelaySockets(RelayPool& pool, crypto::Random& random, Host& host)
      : pool_(pool), random_(random), host_(host) {}

  Result<turn::Relay, turn::RelayError> open(const turn::RelayRequest& request) override;
  Result<turn::Relay, turn::RelayError> claim(const stun::ReservationToken& token,
                                              std::string_view owner) override;
  void release(const stun::ReservationToken& token) override { pool_.drop_reservation(token); }
  bool supports(Family family) const override { return pool_.supports(family); }
  bool is_live(const Endpoint& local) const override;
  IpAddress to_advertised(const IpAddress& local) const override { return pool_.to_advertised(local); }
  IpAddress to_local(const IpAddress& advertised) const override { return pool_.to_local(advertised); }

  // The socket to send to `peer` with. A relay that keeps sending to one peer gets a second socket on its
  // port, connected to that peer: the kernel then looks up the route once and not for every datagram, a tenth
  // of what relaying one costs.
  struct Way {
    int fd = -1;
    bool connected = false;  // to `peer`, so that no address is to be given
  };
  Way way_to(turn::RelayId relay, const Endpoint& peer);

  // Whether `fd` is a socket of this relay: one that was closed a moment ago may have been opened again for
  // another.
  bool owns(turn::RelayId relay, int fd) const;

  // How often a port could not be had for want of descriptors or memory, as opposed to a full range.
  std::uint64_t exhausted() const { return exhausted_; }

 protected:
  void close(turn::RelayId id) override;

 private:
  std::optional<BoundRelay> bind(const IpAddress& address, turn::PortMap& ports, bool even, net::Fd* next);
  Result<turn::Relay, turn::RelayError> adopt(BoundRelay bound);

  struct OpenRelay {
    BoundRelay bound;
    net::Fd connected;
    Endpoint connected_to;
    Endpoint other_peer;         // whom it last sent to past the connected socket,
    std::uint32_t in_a_row = 0;  // and how often since it sent to anybody else
  };
  void connect(turn::RelayId relay, OpenRelay& open, const Endpoint& peer);

  RelayPool& pool_;
  crypto::Random& random_;
  Host& host_;
  boost::unordered_flat_map<turn::RelayId, OpenRelay> open_;
  std::uint64_t exhausted_ = 0;
};

}  // namespace turnpike::server
