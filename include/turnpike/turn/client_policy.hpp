// The networks that clients may come from, and the networks that are exempt from the limits per source
// address. An office or a carrier's NAT is exempt, for example, since many people there share one address.
#pragma once

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix_map.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::turn {

// An immutable snapshot; safe to share between threads.
class ClientPolicy {
 public:
  explicit ClientPolicy(const ClientParams& params);

  // Of several listed networks that contain the address, the one with the longest prefix decides; for the
  // same network in both lists, `deny` wins. An address in no listed network may come, unless there is a list
  // of allowed networks.
  bool admits(const IpAddress& client) const;
  // Whether the limits per source address do not hold for this address.
  bool is_exempt(const IpAddress& client) const;

 private:
  PrefixMap rules_;
  PrefixMap exempt_;
  bool admits_others_ = true;
};

// The same for a policy that may be null. Null means that everybody may come and nobody is exempt.
inline bool admits(const ClientPolicy* policy, const IpAddress& client) {
  return !policy || policy->admits(client);
}
inline bool is_exempt(const ClientPolicy* policy, const IpAddress& client) {
  return policy && policy->is_exempt(client);
}

}  // namespace turnpike::turn
