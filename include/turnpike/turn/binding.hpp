// Answers Binding requests (RFC 8489 §6.3). On a listener that takes part in NAT discovery it also implements
// RFC 5780 §6: the answer can leave from another of our addresses, or go to another port of the client.
// Requests of RFC 3489 have an answer of that time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/message_builder.hpp"
#include "turnpike/turn/nat_discovery.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_access.hpp"
#include "turnpike/turn/responder.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class Binding {
 public:
  // References outlive this.
  Binding(const NatDiscoveries& nat_discoveries, const PeerAccess& access, Responder& responder)
      : nat_discoveries_(nat_discoveries), access_(access), responder_(responder) {}

  void on_binding(Request& request, Output& out);
  void on_rfc3489(Request& request, Output& out);

  // Whether the address that the client came to is open only for NAT discovery. Such an address answers STUN
  // alone, since the operator asked for TURN only at the addresses in `listen`.
  bool is_for_discovery_alone(const FiveTuple& tuple) const;

 private:
  // The attributes of RFC 5780 in a request.
  struct DiscoveryOptions {
    stun::ChangeRequest change;
    std::optional<std::uint16_t> response_port;
    std::optional<std::size_t> padding;
  };

  const NatDiscovery* discovery_at(const FiveTuple& tuple) const;
  static std::optional<stun::ErrorCode> read_options(const Request& request, DiscoveryOptions& options);
  static FiveTuple from_origin(const FiveTuple& tuple, const NatDiscovery::Origin& origin);
  void add_discovery(Request& request, const NatDiscovery& sockets, const DiscoveryOptions& options,
                     stun::MessageBuilder& builder) const;
  static std::size_t padding_for(const Request& request, std::size_t asked,
                                 const stun::MessageBuilder& builder);

  const NatDiscoveries nat_discoveries_;
  const PeerAccess& access_;
  Responder& responder_;
};

}  // namespace turnpike::turn
