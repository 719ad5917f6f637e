#include "turnpike/turn/client_policy.hpp"

namespace turnpike::turn {

ClientPolicy::ClientPolicy(const ClientParams& params) : admits_others_(params.allow.empty()) {
  for (const Prefix& prefix : params.allow) rules_.insert(prefix, true);
  for (const Prefix& prefix : params.deny) rules_.insert(prefix, false);
  for (const Prefix& prefix : params.exempt) exempt_.insert(prefix, true);
}

bool ClientPolicy::admits(const IpAddress& client) const {
  if (rules_.empty()) return true;
  const auto match = rules_.longest_match(unmapped(client));
  return match ? match->value : admits_others_;
}

bool ClientPolicy::is_exempt(const IpAddress& client) const {
  return !exempt_.empty() && exempt_.longest_match(unmapped(client)).has_value();
}

}  // namespace turnpike::turn
