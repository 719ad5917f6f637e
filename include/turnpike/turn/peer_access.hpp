// Decides which peers the clients of one worker may reach. The operator's policy judges addresses. This class
// adds what the policy alone cannot know: whether a peer is one of our own listeners, and whether a port of
// this machine is a live relayed address.
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

// A peer in a request that the policy does not deny.
struct Peer {
  Endpoint endpoint;  // in its local form
  Reach reach = Reach::denied;
};

// Belongs to one worker and its thread.
class PeerAccess {
 public:
  // The policy must live until use() sets another one. `ports` must outlive this object.
  PeerAccess(const PeerPolicy& policy, const RelayPorts& ports) : policy_(&policy), ports_(ports) {}

  // Sets the policy.
  void use(const PeerPolicy& policy) { policy_ = &policy; }
  const PeerPolicy& policy() const { return *policy_; }

  // Whether data may pass between a relayed address and `peer`. `reach` is the policy's result for the
  // address of the peer; a permission stores it, so that a packet needs no look-up in the policy.
  bool may_reach(const Endpoint& peer, Reach reach, RelayedTransport transport) const {
    return opens_all_ports(reach) || (reach == Reach::relays_only && ports_.is_live(peer, transport));
  }
  // Whether an address with this reach belongs to this machine. Then it may be a relayed address here.
  static bool is_own(Reach reach) { return reach == Reach::relays_only || reach == Reach::own_allowed; }
  // Whether `local` is a relayed address of UDP here, in its local form.
  bool is_live(const Endpoint& local) const { return ports_.is_live(local, RelayedTransport::udp); }
  // See RelayPorts.
  std::optional<std::uint16_t> other_worker(const Endpoint& local) const {
    return ports_.other_worker(local);
  }
  // Whether this is one of our own listeners. No rule of the operator lets clients reach those.
  bool is_listener(const Endpoint& peer, RelayedTransport transport = RelayedTransport::udp) const {
    return policy_->is_listener(peer, transport);
  }

  // Reads an XOR-PEER-ADDRESS of a request that has an allocation. It fails with 400 when the value is
  // malformed, with 443 when the allocation has no relayed address of the peer's family, and with 403 when
  // the policy denies the peer.
  Result<Peer, stun::ErrorCode> read_peer(const Request& request, Bytes value) const;

  // The peer that this error of a request is about: the first that read_peer() refuses with it, or else the
  // first of the request. Returns nothing for an error that is not about a peer.
  std::optional<Endpoint> refused_peer(const Request& request, stun::ErrorCode error) const;

  // The network of this machine that closes the first such peer of a request; nothing when none does.
  std::optional<Prefix> network_that_forbids(const Request& request) const;

  // Convert an address for 1:1 NAT: from the address that clients use to the local one, and back.
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
