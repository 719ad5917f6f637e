// The hub of this node, as the other nodes reach it. They change what the hub knows of their members and send
// to its members. What the members of this node are told because of that is collected here, in order, until
// deliver() hands it over.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "turnpike/base/time.hpp"
#include "turnpike/signaling/hub_cluster.hpp"

namespace turnpike::cluster {

class LocalHub {
 public:
  using Deliver = std::function<void(const signaling::HubOutput&)>;

  // The hub must outlive this object.
  LocalHub(signaling::HubCluster& hub, Deliver deliver) : hub_(hub), deliver_(std::move(deliver)) {}

  // For questions.
  const signaling::HubCluster& hub() const { return hub_; }

  // What the other nodes have to know; see HubCluster.
  std::vector<signaling::Presence> take_changes() { return hub_.take_changes(); }
  std::vector<signaling::Outgoing> take_outgoing() { return hub_.take_outgoing(); }
  std::vector<signaling::MemberId> take_arrived() { return hub_.take_arrived(); }

  // What comes from other nodes; see HubCluster.
  void update(signaling::NodeNumber node, const signaling::Presence& presence) {
    hub_.update(node, presence, out_);
  }
  void replace(signaling::NodeNumber node, const std::vector<signaling::Presence>& presences) {
    hub_.replace(node, presences, out_);
  }
  void on_node_gone(signaling::NodeNumber node, TimePoint now) { hub_.on_node_gone(node, now, out_); }
  void receive(const signaling::Outgoing& message) { hub_.receive(message, out_); }
  void give_up(const signaling::MemberId& member) { hub_.give_up(member, out_); }

  // Hands over what was collected. The hub may be changed meanwhile, and this may be called again.
  void deliver() { deliver_(std::exchange(out_, {})); }

 private:
  signaling::HubCluster& hub_;
  const Deliver deliver_;
  signaling::HubOutput out_;
};

}  // namespace turnpike::cluster
