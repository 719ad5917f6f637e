#include "turnpike/turn/peer_table.hpp"

#include <algorithm>
#include <memory>

namespace turnpike::turn {

std::size_t DiscardedPermissions::free(std::size_t most) {
  const std::size_t freed = std::min(most, permissions_.size());
  for (std::size_t i = 0; i < freed; ++i) {
    permissions_.pop_front_and_dispose(std::default_delete<Permission>());
  }
  return freed;
}

bool PeerTable::AddressOrder::operator()(const IpAddress& a, const IpAddress& b) const {
  std::uint64_t x[2];
  std::uint64_t y[2];
  std::memcpy(x, a.storage().data(), sizeof x);
  std::memcpy(y, b.storage().data(), sizeof y);
  if (x[0] != y[0]) return x[0] < y[0];
  if (x[1] != y[1]) return x[1] < y[1];
  return a.family() < b.family();
}

bool PeerTable::EndpointOrder::operator()(const Endpoint& a, const Endpoint& b) const {
  if (a.port != b.port) return a.port < b.port;
  if (a.scope != b.scope) return a.scope < b.scope;
  return AddressOrder()(a.address, b.address);
}

PeerTable::~PeerTable() {
  DiscardedPermissions discarded;
  clear(discarded);
}

const Permission* PeerTable::find_permission(const IpAddress& peer, SteadyTime now) const {
  const auto& permissions = of(peer.family()).by_peer;
  const auto found = permissions.find(peer);
  return found == permissions.end() || found->expiry <= now ? nullptr : &*found;
}

const ChannelBinding* PeerTable::find_channel(stun::ChannelNumber number) const {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : &*found;
}

const ChannelBinding* PeerTable::find_channel(const Endpoint& peer) const {
  const auto found = by_peer_.find(peer);
  return found == by_peer_.end() ? nullptr : &*found;
}

Permission* PeerTable::find(const IpAddress& peer) {
  auto& permissions = of(peer.family()).by_peer;
  const auto found = permissions.find(peer);
  return found == permissions.end() ? nullptr : &*found;
}

void PeerTable::start(Permission& permission, Reach reach, SteadyTime now) {
  PermissionQueue& queue = of(permission.peer.family()).queue;
  if (permission.in_force) queue.erase(queue.iterator_to(permission));
  permission.in_force = true;
  permission.reach = reach;
  permission.expiry = now + kPermissionLifetime;
  queue.push_back(permission);
}

// Takes the permission out of force, and deletes it if it has no channels.
void PeerTable::end(Permission& permission) {
  Permissions& permissions = of(permission.peer.family());
  if (permission.in_force) permissions.queue.erase(permissions.queue.iterator_to(permission));
  permission.in_force = false;
  if (permission.channels != 0) return;
  permissions.by_peer.erase(permissions.by_peer.iterator_to(permission));
  delete &permission;
}

void PeerTable::drop(ChannelBinding& binding) {
  by_number_.erase(by_number_.iterator_to(binding));
  by_peer_.erase(by_peer_.iterator_to(binding));
  channel_queue_.erase(channel_queue_.iterator_to(binding));
  Permission& permission = *binding.permission;
  --permission.channels;
  if (!permission.in_force) end(permission);
  delete &binding;
}

void PeerTable::permit(const IpAddress& peer, Reach reach, SteadyTime now) {
  Permission* permission = find(peer);
  if (!permission) {
    permission = new Permission;
    permission->peer = peer;
    ++permitted_;
    of(peer.family()).by_peer.insert(*permission);
  }
  start(*permission, reach, now);
}

void PeerTable::bind(stun::ChannelNumber number, const Endpoint& peer, RelayId relay, Reach reach,
                     SteadyTime now) {
  const auto with_number = by_number_.find(number);
  const auto with_peer = by_peer_.find(peer);
  ChannelBinding* binding = with_number == by_number_.end() ? nullptr : &*with_number;
  ChannelBinding* former = with_peer == by_peer_.end() ? nullptr : &*with_peer;
  const bool again = binding && binding == former;
  std::unique_ptr<ChannelBinding> added;
  if (!again) added = std::make_unique<ChannelBinding>(number);
  permit(peer.address, reach, now);  // the last step that can throw
  if (again) {
    channel_queue_.erase(channel_queue_.iterator_to(*binding));
  } else {
    if (binding) drop(*binding);
    if (former) drop(*former);
    binding = added.release();
    binding->peer = peer;
    binding->permission = find(peer.address);
    ++binding->permission->channels;
    by_number_.insert(*binding);
    by_peer_.insert(*binding);
  }
  binding->relay = relay;
  binding->expiry = now + kChannelLifetime;
  channel_queue_.push_back(*binding);
}

std::size_t PeerTable::purge(SteadyTime now, std::size_t most) {
  std::size_t removed = 0;
  for (Permissions* permissions : {&of_v4_, &of_v6_}) {
    for (; removed < most && !permissions->queue.empty(); ++removed) {
      if (permissions->queue.front().expiry > now) break;
      end(permissions->queue.front());
    }
  }
  for (; removed < most && !channel_queue_.empty(); ++removed) {
    if (channel_queue_.front().expiry > now) break;
    drop(channel_queue_.front());
  }
  return removed;
}

// Channels are removed one by one, since there are at most 2^14 of them.
void PeerTable::remove_family(Family family, DiscardedPermissions& discarded) {
  for (auto at = channel_queue_.begin(); at != channel_queue_.end();) {
    ChannelBinding& binding = *at++;
    if (binding.peer.family() == family) drop(binding);
  }
  // This takes constant time, since the hooks do not record whether they are linked.
  of(family).by_peer.clear();
  discarded.add(of(family).queue);
}

void PeerTable::clear(DiscardedPermissions& discarded) {
  remove_family(Family::ipv4, discarded);
  remove_family(Family::ipv6, discarded);
}

void PeerTable::judge_again(const PeerPolicy& policy) {
  for (Permissions* permissions : {&of_v4_, &of_v6_}) {
    for (Permission& permission : permissions->by_peer) permission.reach = policy.judge(permission.peer);
  }
  for (auto at = channel_queue_.begin(); at != channel_queue_.end();) {
    ChannelBinding& binding = *at++;
    if (binding.reach() == Reach::denied || policy.is_listener(binding.peer)) drop(binding);
  }
  for (Permissions* permissions : {&of_v4_, &of_v6_}) {
    for (auto at = permissions->queue.begin(); at != permissions->queue.end();) {
      Permission& permission = *at++;
      if (permission.reach == Reach::denied) end(permission);
    }
  }
}

SteadyTime PeerTable::next_expiry() const {
  SteadyTime next = SteadyTime::max();
  for (const Permissions* permissions : {&of_v4_, &of_v6_}) {
    if (!permissions->queue.empty()) next = std::min(next, permissions->queue.front().expiry);
  }
  if (!channel_queue_.empty()) next = std::min(next, channel_queue_.front().expiry);
  return next;
}

}  // namespace turnpike::turn
