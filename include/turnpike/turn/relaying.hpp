// The relayed path: ChannelData and Send indications go to peers, and datagrams of peers go to clients. When
// the peer is a relayed address of this server, its datagram does not go through the kernel. Its Shaper keeps
// the limits on bytes per second. This code allocates no memory, copies no payload and takes no lock.
#pragma once

#include <optional>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/allocations.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_access.hpp"
#include "turnpike/turn/responder.hpp"
#include "turnpike/turn/server_params.hpp"
#include "turnpike/turn/settings.hpp"
#include "turnpike/turn/shaper.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread. A parameter `allocation` is null when the 5-tuple or the relay has no
// allocation that is alive.
class Relaying {
 public:
  // References outlive this, and so does what `params` refer to.
  Relaying(const ServerParams& params, const Settings& settings, const PeerAccess& access,
           const Allocations& allocations, Responder& responder, Counters& counters, Breakdown& breakdown)
      : access_(access),
        allocations_(allocations),
        shaper_(settings, params.server_budgets, counters),
        responder_(responder),
        counters_(counters),
        breakdown_(breakdown),
        short_way_(params.short_way) {}

  // A Send indication (RFC 8656 §11.2). It views the message.
  struct Send {
    Endpoint peer;  // in its local form
    Bytes payload;
    bool dont_fragment = false;
  };
  // Nothing when an attribute is missing, or when there is an unknown comprehension-required one.
  std::optional<Send> read_send(const stun::MessageView& indication) const;

  // --- From the client
  void on_channel_data(Allocation* allocation, const stun::ChannelData& data, TimePoint now, Output& out);
  void on_send(Allocation* allocation, const Send& send, TimePoint now, Output& out);

  // --- From a peer
  void on_peer(Allocation* allocation, const Endpoint& from, Bytes payload, TimePoint now, Output& out);
  void on_icmp(const Allocation* allocation, const Endpoint& peer, const stun::Icmp& icmp, TimePoint now,
               Output& out);

 private:
  void relay_to_peer(Allocation& allocation, RelayId relay, const Endpoint& peer, Reach reach, Bytes payload,
                     bool dont_fragment, TimePoint now, Output& out);
  bool relay_to_relay(const Allocation& allocation, const Endpoint& peer, Bytes payload, TimePoint now,
                      Output& out);

  const PeerAccess& access_;
  const Allocations& allocations_;
  Shaper shaper_;
  Responder& responder_;
  Counters& counters_;
  Breakdown& breakdown_;
  const bool short_way_;  // see ServerParams
};

}  // namespace turnpike::turn
