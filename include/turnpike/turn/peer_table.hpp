// The peers of one allocation: its permissions (RFC 8656 §9), by peer address, and its channels (§12), by
// number and by peer. Addresses are in their local form. Each operation costs the logarithm of the table's
// size, plus the expired entries that it removes, whatever a client does. No operation visits all entries or
// copies them to grow, and no choice of addresses makes one slow.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/turn/peer_policy.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

inline constexpr std::chrono::seconds kPermissionLifetime{300};  // RFC 8656 §9
inline constexpr std::chrono::seconds kChannelLifetime{600};     // RFC 8656 §12

// An expired permission counts as absent. It is removed by purge(), or with the last channel of its peer.
struct Permission
    : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>,
                                      boost::intrusive::link_mode<boost::intrusive::normal_link>>,
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>> {
  IpAddress peer;
  Reach reach = Reach::denied;
  std::uint16_t channels = 0;  // number of channels for this peer; fewer than 2^14
  bool in_force = false;       // is in the queue of permissions that expire; otherwise only channels keep it
  SteadyTime expiry;
};

// A channel has its relay and its permission, so that a relayed packet needs one look-up.
struct ChannelBinding
    : boost::intrusive::set_base_hook<boost::intrusive::tag<struct ByNumber>,
                                      boost::intrusive::optimize_size<true>,
                                      boost::intrusive::link_mode<boost::intrusive::normal_link>>,
      boost::intrusive::set_base_hook<boost::intrusive::tag<struct ByPeer>,
                                      boost::intrusive::optimize_size<true>,
                                      boost::intrusive::link_mode<boost::intrusive::normal_link>>,
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>> {
  explicit ChannelBinding(stun::ChannelNumber n) : number(n) {}

  stun::ChannelNumber number;
  RelayId relay{};
  Permission* permission = nullptr;  // permission of the peer; never null in a table
  Endpoint peer;
  SteadyTime expiry;

  Reach reach() const { return permission->reach; }
  bool carries_data(SteadyTime now) const { return now < expiry && now < permission->expiry; }
};

// Permissions in the order in which they expire.
using PermissionQueue = boost::intrusive::list<Permission>;

// Permissions that are in no table any more and whose memory is not yet freed. To free a million of them
// takes a tenth of a second, so it is done in parts.
class DiscardedPermissions {
 public:
  DiscardedPermissions() = default;
  ~DiscardedPermissions() { free(permissions_.size()); }
  DiscardedPermissions(const DiscardedPermissions&) = delete;
  DiscardedPermissions& operator=(const DiscardedPermissions&) = delete;

  bool empty() const { return permissions_.empty(); }
  std::size_t size() const { return permissions_.size(); }
  // Moves all permissions of the queue here, in constant time.
  void add(PermissionQueue& permissions) { permissions_.splice(permissions_.end(), permissions); }
  // Frees at most `most` permissions. Returns the number of freed ones.
  std::size_t free(std::size_t most);

 private:
  PermissionQueue permissions_;
};

class PeerTable {
 public:
  PeerTable() = default;
  ~PeerTable();
  PeerTable(const PeerTable&) = delete;
  PeerTable& operator=(const PeerTable&) = delete;

  const Permission* find_permission(const IpAddress& peer, SteadyTime now) const;
  // Both also find channels that have expired; ask carries_data().
  const ChannelBinding* find_channel(stun::ChannelNumber number) const;
  const ChannelBinding* find_channel(const Endpoint& peer) const;

  // Both start or restart the lifetimes; a channel binding also restarts its peer's permission (RFC 8656
  // §12.2). When they throw std::bad_alloc, nothing has changed. bind() replaces channels with this number or
  // this peer; the caller must have checked that these have expired.
  void permit(const IpAddress& peer, Reach reach, SteadyTime now);
  void bind(stun::ChannelNumber number, const Endpoint& peer, RelayId relay, Reach reach, SteadyTime now);

  // Removes at most `most` expired permissions and channels. Returns the number of removed entries.
  std::size_t purge(SteadyTime now, std::size_t most);
  // Removes all entries of one family, or all entries. If there are permissions, `discarded` gets them, so
  // that their memory can be freed later.
  void remove_family(Family family, DiscardedPermissions& discarded);
  void clear(DiscardedPermissions& discarded);
  // Removes the entries that `policy` does not allow.
  void judge_again(const PeerPolicy& policy);

  // Both include expired entries that were not purged yet.
  std::size_t permissions() const { return of_v4_.queue.size() + of_v6_.queue.size(); }
  std::size_t channels() const { return channel_queue_.size(); }

  // The number of permissions that were ever added.
  std::uint32_t permitted() const { return permitted_; }

  // The next time at which purge() will find something; SteadyTime::max() when the table is empty.
  SteadyTime next_expiry() const;

 private:
  // Any strict order would do. These compare whole words and need no call.
  struct AddressOrder {
    bool operator()(const IpAddress& a, const IpAddress& b) const;
  };
  struct EndpointOrder {
    bool operator()(const Endpoint& a, const Endpoint& b) const;
  };
  struct PeerOf {
    using type = IpAddress;
    const type& operator()(const Permission& permission) const { return permission.peer; }
  };
  struct NumberOf {
    using type = stun::ChannelNumber;
    const type& operator()(const ChannelBinding& binding) const { return binding.number; }
  };
  struct EndpointOf {
    using type = Endpoint;
    const type& operator()(const ChannelBinding& binding) const { return binding.peer; }
  };
  template <class Tag>
  using HookOf = boost::intrusive::base_hook<
      boost::intrusive::set_base_hook<boost::intrusive::tag<Tag>, boost::intrusive::optimize_size<true>,
                                      boost::intrusive::link_mode<boost::intrusive::normal_link>>>;

  // All permissions have the same lifetime, so a renewed one goes to the end of the queue.
  struct Permissions {
    boost::intrusive::set<Permission, boost::intrusive::key_of_value<PeerOf>,
                          boost::intrusive::compare<AddressOrder>,
                          boost::intrusive::constant_time_size<false>>
        by_peer;            // all permissions
    PermissionQueue queue;  // those that have not been ended
  };

  Permissions& of(Family family) { return family == Family::ipv4 ? of_v4_ : of_v6_; }
  const Permissions& of(Family family) const { return family == Family::ipv4 ? of_v4_ : of_v6_; }
  Permission* find(const IpAddress& peer);
  void start(Permission& permission, Reach reach, SteadyTime now);
  void end(Permission& permission);
  void drop(ChannelBinding& binding);

  Permissions of_v4_;
  Permissions of_v6_;
  std::uint32_t permitted_ = 0;
  boost::intrusive::set<ChannelBinding, HookOf<ByNumber>, boost::intrusive::key_of_value<NumberOf>,
                        boost::intrusive::constant_time_size<false>>
      by_number_;
  boost::intrusive::set<ChannelBinding, HookOf<ByPeer>, boost::intrusive::key_of_value<EndpointOf>,
                        boost::intrusive::compare<EndpointOrder>, boost::intrusive::constant_time_size<false>>
      by_peer_;
  boost::intrusive::list<ChannelBinding> channel_queue_;
};

}  // namespace turnpike::turn
