// Decides which peers the clients of one worker may reach. The operator's policy judges addresses; two things
// that the policy alone cannot say are added here: whether a peer is one of our own listeners, and whether a
// port of this machine is a live relayed address.
#pragma once

#include <optional>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/stun/types.hpp"
#include "turnpike/turn/peer_policy.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

struct Request;

// A peer that a request has named and that the policy does not deny.
struct Peer {
  Endpoint endpoint;  // in its local form
  Reach reach = Reach::denied;
};

// Belongs to one worker and its thread.
class PeerAccess {
 public:
  // The policy lives until use() names another one. `ports` outlives this.
  PeerAccess(const PeerPolicy& policy, const RelayPorts& ports) : policy_(&policy), ports_(ports) {}

  // From now on this policy holds.
  void use(const PeerPolicy& policy) { policy_ = &policy; }
  const PeerPolicy& policy() const { return *policy_; }

  // Whether data may pass between a relayed address and `peer`. `reach` is what the policy says of the peer's
  // address; a permission remembers it, so that a packet costs no look-up in the policy.
  bool may_reach(const Endpoint& peer, Reach reach, RelayedTransport transport) const {
    return reach == Reach::allowed || (reach == Reach::relays_only && ports_.is_live(peer, transport));
  }
  // Whether this is one of our own listeners, which no rule opens to clients.
  bool is_listener(const Endpoint& peer, RelayedTransport transport = RelayedTransport::udp) const {
    return policy_->is_listener(peer, transport);
  }

  // Reads an XOR-PEER-ADDRESS of a request that has an allocation. It fails with 400 when the value is
  // malformed, with 443 when the allocation has no relayed address of the peer's family, and with 403 when
  // the policy denies the peer.
  Result<Peer, stun::ErrorCode> read_peer(const Request& request, Bytes value) const;

  // The network of this machine that keeps the first such peer of a request out of reach, if one does.
  std::optional<Prefix> network_that_forbids(const Request& request) const;

  // 1:1 NAT: the address here that clients call by this one, and back.
  Endpoint to_local(const Endpoint& advertised) const {
    return {ports_.to_local(advertised.address), advertised.port};
  }
  Endpoint to_advertised(const Endpoint& local) const {
    return {ports_.to_advertised(local.address), local.port};
  }

 private:
  const PeerPolicy* policy_;  // never null
  const RelayPorts& ports_;
};

}  // namespace turnpike::turn
