// The interface by which the server requests relayed transport addresses. To bind a socket does not wait, so
// the calls return their result at once. Tests implement it with a script.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/quota.hpp"

namespace turnpike::turn {

// The number of a relay socket. It is small, so it is used as an index into arrays. A number is used again
// only after its relay was closed.
enum class RelayId : std::uint32_t {};

enum class RelayError : std::uint8_t {
  no_address,      // no relay address of this family: answer 440
  no_port,         // no free port or no free descriptor: answer 508
  no_reservation,  // the token is unknown, expired or belongs to another user: answer 508
};

struct RelayRequest {
  enum class Parity : std::uint8_t { any, even };

  Family family = Family::ipv4;
  RelayedTransport transport = RelayedTransport::udp;
  IpAddress client_side;  // the server address that the client came to
  Parity parity = Parity::any;
  // If this is set, the port must be even, and the next port is reserved for `owner` under this token (RFC
  // 8656 §7.2, EVEN-PORT with R).
  std::optional<stun::ReservationToken> reserve_next;
  std::string_view owner;
  QuotaSlot* slot_of_next = nullptr;  // moved into the reservation, which holds it while it holds the port
};

class RelayPorts;

// A relayed transport address. The destructor closes it. The RelayPorts must outlive it.
class Relay {
 public:
  Relay(RelayPorts& ports, RelayId id, const Endpoint& local, const Endpoint& advertised)
      : ports_(&ports), id_(id), local_(local), advertised_(advertised) {}
  Relay(Relay&& other) noexcept
      : ports_(std::exchange(other.ports_, nullptr)),
        id_(other.id_),
        local_(other.local_),
        advertised_(other.advertised_) {}
  Relay& operator=(Relay&& other) noexcept {
    std::swap(ports_, other.ports_);
    std::swap(id_, other.id_);
    std::swap(local_, other.local_);
    std::swap(advertised_, other.advertised_);
    return *this;
  }
  ~Relay();

  RelayId id() const { return id_; }
  const Endpoint& local() const { return local_; }            // the address that the socket is bound to
  const Endpoint& advertised() const { return advertised_; }  // the address that clients see
  Family family() const { return local_.family(); }
  void prepare() const;  // see RelayPorts

 private:
  RelayPorts* ports_;
  RelayId id_;
  Endpoint local_;
  Endpoint advertised_;
};

// Each worker has one and uses it on its own thread. All workers share the port maps and the reservations.
class RelayPorts {
 public:
  virtual ~RelayPorts() = default;

  // Opens a relayed address. Fails with no_address or no_port.
  virtual Result<Relay, RelayError> open(const RelayRequest& request) = 0;

  // Takes over a reserved port, which any worker may have reserved, and moves its place in the quota into
  // `slot`. A token works once, and only for its owner; otherwise this fails with no_reservation.
  virtual Result<Relay, RelayError> claim(const stun::ReservationToken& token, std::string_view owner,
                                          QuotaSlot& slot) = 0;
  // Ends a reservation that was not claimed in time. Does nothing when it was claimed.
  virtual void release(const stun::ReservationToken& token) = 0;

  // The allocation has a permission now, so its relay begins to carry data. Before that nothing may leave,
  // and what arrives is thrown away, so open() does only what it must: many allocations are never used.
  // Further calls do nothing.
  virtual void prepare(RelayId /*id*/) {}

  // Whether there is a relayed address of this family.
  virtual bool supports(Family family) const = 0;
  // Whether a local endpoint is the relayed address of an allocation of any worker.
  virtual bool is_live(const Endpoint& local, RelayedTransport transport) const = 0;

  // The number of another worker that has this live relayed address of UDP. It is empty when this worker has
  // the address, or nobody.
  virtual std::optional<std::uint16_t> other_worker(const Endpoint& /*local*/) const { return std::nullopt; }

  // Convert an address for 1:1 NAT: from the local address to the one that clients see, and back. An address
  // without a mapping is returned unchanged.
  virtual IpAddress to_advertised(const IpAddress& local) const = 0;
  virtual IpAddress to_local(const IpAddress& advertised) const = 0;

 protected:
  friend class Relay;
  // The destructor of Relay calls it: when the Output that had the relay is cleared, or when the server is
  // destroyed.
  virtual void close(RelayId id) = 0;
};

inline void Relay::prepare() const { ports_->prepare(id_); }

inline Relay::~Relay() {
  if (ports_) ports_->close(id_);
}

}  // namespace turnpike::turn
