// Answers Allocate requests (RFC 8656 §7.2): checks the request, takes a place in the quota, opens the
// relayed addresses and adds the new allocation to the table.
#pragma once

#include <memory>
#include <optional>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/allocations.hpp"
#include "turnpike/turn/lifetimes.hpp"
#include "turnpike/turn/moves.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/relay_ports.hpp"
#include "turnpike/turn/reservations.hpp"
#include "turnpike/turn/responder.hpp"
#include "turnpike/turn/server_params.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class Allocator {
 public:
  // All references outlive this.
  Allocator(const ServerParams& params, const Settings& settings, Allocations& allocations, Moves& moves,
            Lifetimes& lifetimes, Reservations& reservations, Responder& responder, Counters& counters,
            Breakdown& breakdown);

  void on_allocate(Request& request, Output& out);

 private:
  // The options of an Allocate request, after its attributes were read and checked against each other.
  struct AllocateOptions {
    RelayedTransport transport = RelayedTransport::udp;
    std::optional<stun::ReservationToken>
        claim;                     // RESERVATION-TOKEN: the relayed address was reserved before
    std::optional<Family> family;  // absent with a claim
    bool mobile = false;           // RFC 8016
    bool both_families = false;    // IPv4 and IPv6; one of the two may fail
    bool even_port = false;
    std::optional<stun::ReservationToken> reserve_next;
    QuotaSlot slot_of_next;  // in the quota; the reservation will hold it
  };

  void answer_again(Request& request, Output& out);
  std::optional<stun::ErrorCode> check_transport(const Request& request, AllocateOptions& options) const;
  std::optional<stun::ErrorCode> read_options(const Request& request, AllocateOptions& options) const;
  std::optional<stun::ErrorCode> read_families(const Request& request, AllocateOptions& options) const;
  Family default_family(const Request& request) const;
  std::optional<stun::ErrorCode> acquire_relays(const Request& request, AllocateOptions& options,
                                                Allocation& allocation, Output& out);
  std::optional<stun::ErrorCode> claim_relay(const stun::ReservationToken& token, Allocation& allocation);
  std::optional<stun::ErrorCode> open_relays(const Request& request, AllocateOptions& options,
                                             Allocation& allocation);
  std::optional<stun::ErrorCode> open_relay(const Request& request, AllocateOptions& options, Family family,
                                            Allocation& allocation);
  bool redirect(const Request& request, Redirect reason, Output& out);
  void add_allocation(const Request& request, const AllocateOptions& options,
                      std::unique_ptr<Allocation> allocation, Output& out);
  void answer(const Request& request, const Allocation& allocation, Output& out);

  const Settings& settings_;
  const bool relays_tcp_;
  RelayPorts& ports_;
  Quota& quota_;
  Quota* const address_quota_;
  crypto::Random& random_;
  Allocations& allocations_;
  Moves& moves_;
  Lifetimes& lifetimes_;
  Reservations& reservations_;
  Responder& responder_;
  Counters& counters_;
  Breakdown& breakdown_;
  std::uint64_t last_number_ = 0;
};

}  // namespace turnpike::turn
