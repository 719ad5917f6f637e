// Which networks clients may come from, and which of them the limits per source address spare: an office or a
// carrier's NAT, where many people share one address.
#pragma once

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix_map.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::turn {

// An immutable snapshot; safe to share between threads.
class ClientPolicy {
 public:
  explicit ClientPolicy(const ClientParams& params);

  // Of two networks in the lists, the longer prefix decides. Where none has the address, everybody may come
  // unless there is a list of those who may.
  bool may_come(const IpAddress& client) const;
  // Whether limits per source address do not hold for this one.
  bool is_exempt(const IpAddress& client) const;

 private:
  PrefixMap rules_;
  PrefixMap exempt_;
  bool admits_others_ = true;
};

// The same where there may be no policy: then everybody may come, and nobody is exempt.
inline bool admits(const ClientPolicy* policy, const IpAddress& client) {
  return !policy || policy->may_come(client);
}
inline bool is_exempt(const ClientPolicy* policy, const IpAddress& client) {
  return policy && policy->is_exempt(client);
}

}  // namespace turnpike::turn
