#include "turnpike/turn/allocation.hpp"

#include <algorithm>

namespace turnpike::turn {
namespace {

// Boost 1.81 has none for flat maps. One pass, where erasing one by one would take a square of the size.
template <class FlatMap, class Predicate>
void erase_if(FlatMap& map, Predicate&& predicate) {
  auto entries = map.extract_sequence();
  entries.erase(std::remove_if(entries.begin(), entries.end(), predicate), entries.end());
  map.adopt_sequence(boost::container::ordered_unique_range, std::move(entries));
}

}  // namespace

const Permission* PeerTable::find_permission(const IpAddress& peer, SteadyTime now) const {
  const auto found = permissions_.find(peer);
  return found == permissions_.end() || found->second.expiry <= now ? nullptr : &found->second;
}

const ChannelBinding* PeerTable::find_channel(stun::ChannelNumber number) const {
  const auto found = channels_.find(number);
  return found == channels_.end() ? nullptr : &found->second;
}

std::optional<stun::ChannelNumber> PeerTable::find_channel_number(const Endpoint& peer) const {
  const auto found = by_peer_.find(peer);
  if (found == by_peer_.end()) return std::nullopt;
  return found->second;
}

void PeerTable::permit(const IpAddress& peer, Reach reach, SteadyTime now) {
  const SteadyTime expiry = now + kPermissionLifetime;
  permissions_[peer] = {expiry, reach};
  // The channels of one address stand together, so that a request which names thousands of peers stays cheap.
  for (auto at = by_peer_.lower_bound(Endpoint{peer}); at != by_peer_.end() && at->first.address == peer;
       ++at) {
    ChannelBinding& binding = channels_.at(at->second);
    binding.permission_expiry = expiry;
    binding.reach = reach;
  }
}

void PeerTable::bind(stun::ChannelNumber number, const Endpoint& peer, RelayId relay, Reach reach,
                     SteadyTime now) {
  channels_.insert_or_assign(number, ChannelBinding{peer, relay, reach, now + kChannelLifetime, {}});
  by_peer_.insert_or_assign(peer, number);
  permit(peer.address, reach, now);
}

void PeerTable::purge(SteadyTime now) {
  boost::unordered::erase_if(permissions_, [&](const auto& entry) { return entry.second.expiry <= now; });
  erase_if(channels_, [&](const auto& entry) { return entry.second.expiry <= now; });
  erase_if(by_peer_, [&](const auto& entry) { return !channels_.contains(entry.second); });
}

void PeerTable::remove_family(Family family) {
  boost::unordered::erase_if(permissions_, [&](const auto& entry) { return entry.first.family() == family; });
  erase_if(channels_, [&](const auto& entry) { return entry.second.peer.family() == family; });
  erase_if(by_peer_, [&](const auto& entry) { return entry.first.family() == family; });
}

// A channel may outlive its permission, so each is judged by its own peer.
void PeerTable::judge_again(const PeerPolicy& policy) {
  for (auto& [address, permission] : permissions_) permission.reach = policy.judge(address);
  boost::unordered::erase_if(permissions_,
                             [](const auto& entry) { return entry.second.reach == Reach::denied; });
  for (auto& [number, binding] : channels_) binding.reach = policy.judge(binding.peer.address);
  erase_if(channels_, [&](const auto& entry) {
    return entry.second.reach == Reach::denied || policy.is_listener(entry.second.peer);
  });
  erase_if(by_peer_, [&](const auto& entry) { return !channels_.contains(entry.second); });
}

SteadyTime PeerTable::next_expiry() const {
  SteadyTime next = SteadyTime::max();
  for (const auto& [address, permission] : permissions_) next = std::min(next, permission.expiry);
  for (const auto& [number, binding] : channels_) next = std::min(next, binding.expiry);
  return next;
}

const Relay* Allocation::relay_for(Family family) const {
  const auto found = std::ranges::find(relays, family, &Relay::family);
  return found == relays.end() ? nullptr : &*found;
}

}  // namespace turnpike::turn
