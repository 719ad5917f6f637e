// How a client keeps its allocation when its own address changes (RFC 8016): by a ticket that it shows on the
// new path.
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

// MOBILITY-TICKET: the worker that has the allocation, in two octets, and 128 bits that cannot be guessed; in
// base64, since coturn's clients take a ticket for text.
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

// Of an allocation whose client asked for it.
struct Mobility {
  Ticket ticket;
  // A move that was asked for and is not yet settled: the former path serves until data comes by the new one.
  struct Move {
    FiveTuple to;
    stun::TransactionId transaction_id{};  // of the Refresh, which may be sent again
    Ticket former;                         // good until the client is heard to have the new one
    SteadyTime expiry;                     // to be heard by
  };
  std::optional<Move> move;
};

}  // namespace turnpike::turn
