// The interface through which the server asks the outside for relayed transport addresses. Binding a socket
// is immediate, so a small interface does; tests put a script behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/quota.hpp"

namespace turnpike::turn {

// The number of a relay socket. It is small, so a plain array finds what belongs to it, and it is given out
// again only after its relay was closed.
enum class RelayId : std::uint32_t {};

enum class RelayError : std::uint8_t {
  no_address,      // no relay address of this family: a 440
  no_port,         // the range is full, or the machine is out of descriptors: a 508
  no_reservation,  // the token is unknown, expired or somebody else's: a 508
};

struct RelayRequest {
  enum class Parity : std::uint8_t { any, even };

  Family family = Family::ipv4;
  RelayedTransport transport = RelayedTransport::udp;
  IpAddress client_side;  // the server address that the client came to
  Parity parity = Parity::any;
  // Set: the port must be even, and the next one is held under this token for `owner` (RFC 8656 §7.2,
  // EVEN-PORT with R).
  std::optional<stun::ReservationToken> reserve_next;
  std::string_view owner;
  QuotaSlot* place_of_next = nullptr;  // moved into the reservation, which holds it as long as the port
};

class RelayPorts;

// A relayed transport address and the right to it; the destructor closes it. The RelayPorts outlives it.
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
  const Endpoint& local() const { return local_; }            // what the socket is bound to
  const Endpoint& advertised() const { return advertised_; }  // what clients see
  Family family() const { return local_.family(); }

 private:
  RelayPorts* ports_;
  RelayId id_;
  Endpoint local_;
  Endpoint advertised_;
};

// There is one per worker, used on its thread alone. All workers share what it draws from: port maps and
// reservations.
class RelayPorts {
 public:
  virtual ~RelayPorts() = default;

  virtual Result<Relay, RelayError> open(const RelayRequest& request) = 0;

  // Takes over a reserved port, which another worker may have reserved, and moves its place in the quota into
  // `place`. A token is good once, and for its owner only.
  virtual Result<Relay, RelayError> claim(const stun::ReservationToken& token, std::string_view owner,
                                          QuotaSlot& place) = 0;
  // Lets a reservation go that nobody claimed in time; nothing happens when it was claimed.
  virtual void release(const stun::ReservationToken& token) = 0;

  virtual bool supports(Family family) const = 0;
  // Whether a local endpoint is the relayed address of an allocation here, on any worker.
  virtual bool is_live(const Endpoint& local, RelayedTransport transport) const = 0;

  // 1:1 NAT: the address that clients know a local address by, and back. An address without a mapping stays
  // as it is.
  virtual IpAddress to_advertised(const IpAddress& local) const = 0;
  virtual IpAddress to_local(const IpAddress& advertised) const = 0;

 protected:
  friend class Relay;
  // Called when a Relay is destroyed: with its Output once that was carried out, or with the server.
  virtual void close(RelayId id) = 0;
};

inline Relay::~Relay() {
  if (ports_) ports_->close(id_);
}

}  // namespace turnpike::turn
