// How a client keeps its allocation when its own address changes (RFC 8016): it shows a ticket on the new
// path.
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

// Whether clients may move, and where allocations that move can be found.
struct MobilityParams {
  bool enabled = false;
  std::uint16_t worker = 0;   // the number of this worker,
  std::uint16_t workers = 1;  // and how many workers there are
};

// MOBILITY-TICKET: two octets with the number of the worker that has the allocation, and 128 bits that nobody
// can guess. It is written in base64, since coturn's clients take a ticket for text.
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

// What an allocation has when its client asked to be able to move.
struct Mobility {
  Ticket ticket;
  // A move that was asked for and is not yet settled. Data goes by the former path until the client is heard
  // on the new one.
  struct Move {
    FiveTuple to;
    stun::TransactionId transaction_id{};  // of the Refresh, which may be sent again
    Ticket former;                         // is good until the client has shown that it has the new one
    SteadyTime expiry;                     // when the move is given up, unless the client was heard
  };
  std::optional<Move> move;
};

}  // namespace turnpike::turn
