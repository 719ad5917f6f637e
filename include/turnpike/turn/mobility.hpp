// The state that lets a client keep its allocation when the client's address changes (RFC 8016). The client
// presents a ticket on the new path.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/base64.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::turn {

// Whether clients may move, and the numbers that tickets need.
struct MobilityParams {
  bool enabled = false;
  std::uint16_t worker = 0;   // the number of this worker
  std::uint16_t workers = 1;  // the number of workers
};

// MOBILITY-TICKET: two octets with the number of the allocation's worker, and 128 random bits that nobody can
// guess. They are written in base64, since the clients of coturn treat a ticket as text.
class Ticket {
 public:
  static constexpr std::size_t kOctets = 18;
  static constexpr std::size_t kSize = 24;  // on the wire

  static Ticket issue(std::uint16_t worker, crypto::Random& random) {
    std::array<std::uint8_t, kOctets> octets;
    random.fill(octets);
    store_u16(octets.data(), worker);
    Ticket ticket;
    std::ranges::copy(crypto::base64_encode(octets), ticket.text_.begin());
    return ticket;
  }
  static std::optional<Ticket> from_wire(Bytes value) {
    if (value.size() != kSize || !crypto::base64_decode(as_text(value))) return std::nullopt;
    Ticket ticket;
    std::ranges::copy(value, ticket.text_.begin());
    return ticket;
  }

  std::uint16_t worker() const { return load_u16(crypto::base64_decode(as_text(text_))->data()); }
  Bytes bytes() const { return text_; }

  friend bool operator==(const Ticket&, const Ticket&) = default;
  friend auto operator<=>(const Ticket&, const Ticket&) = default;

 private:
  std::array<std::uint8_t, kSize> text_{};
};

// The mobility state of an allocation whose client asked for mobility.
struct Mobility {
  Ticket ticket;
  // A move that was requested and is not yet completed. Data are sent on the former path until a message of
  // the client was received on the new one.
  struct Move {
    FiveTuple to;
    stun::TransactionId transaction_id{};  // of the Refresh, to recognise a retransmission
    Ticket former;                         // stays valid until the client has used the new path
    SteadyTime expiry;                     // the move is then cancelled, unless the client was received
  };
  std::optional<Move> move;
};

}  // namespace turnpike::turn
