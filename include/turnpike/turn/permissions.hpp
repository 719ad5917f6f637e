// Answers CreatePermission and ChannelBind (RFC 8656 §10.2 and §12.2), which allow an allocation to exchange
// data with a peer.
#pragma once

#include <optional>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/types.hpp"
#include "turnpike/turn/allocations.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/peer_access.hpp"
#include "turnpike/turn/responder.hpp"
#include "turnpike/turn/settings.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class Permissions {
 public:
  // References outlive this.
  Permissions(const Settings& settings, Allocations& allocations, const PeerAccess& access,
              Responder& responder, Counters& counters)
      : settings_(settings),
        allocations_(allocations),
        access_(access),
        responder_(responder),
        counters_(counters) {}

  void on_create_permission(Request& request, Output& out);
  void on_channel_bind(Request& request, Output& out);

 private:
  std::optional<stun::ErrorCode> check_channel(const Request& request, stun::ChannelNumber number,
                                               const Endpoint& peer, Output& out) const;
  void purge(Allocation& allocation, SteadyTime now);

  const Settings& settings_;
  Allocations& allocations_;
  const PeerAccess& access_;
  Responder& responder_;
  Counters& counters_;
};

}  // namespace turnpike::turn
