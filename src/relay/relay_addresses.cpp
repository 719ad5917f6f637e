#include "relay/relay_addresses.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace turnpike::relay {

RelayAddresses::RelayAddresses(std::vector<IpAddress> configured, const net::LocalAddresses& local,
                               Ports ports, Advertised advertised)
    : configured_(std::move(configured)), ports_(std::move(ports)), advertised_(std::move(advertised)) {
  for (const auto& [local_address, told] : advertised_) local_.emplace(told, local_address);
  if (configured_.empty()) {
    default_v4_ = local.default_v4;
    default_v6_ = local.default_v6;
  }
  for (const auto& [address, map] : ports_) (address.is_v4() ? supports_v4_ : supports_v6_) = true;
}

std::optional<IpAddress> RelayAddresses::choose(Family family, const IpAddress& client_side,
                                                crypto::Random& random) const {
  if (client_side.family() == family && ports_.contains(client_side)) return client_side;
  if (configured_.empty()) return family == Family::ipv4 ? default_v4_ : default_v6_;
  std::vector<IpAddress> candidates;
  std::ranges::copy_if(configured_, std::back_inserter(candidates),
                       [&](const IpAddress& a) { return a.family() == family; });
  if (candidates.empty()) return std::nullopt;
  return candidates[random.below(static_cast<std::uint32_t>(candidates.size()))];
}

const std::shared_ptr<turn::PortMap>& RelayAddresses::ports_of(const IpAddress& address) const {
  static const std::shared_ptr<turn::PortMap> none;
  const auto found = ports_.find(address);
  return found == ports_.end() ? none : found->second;
}

std::vector<IpAddress> RelayAddresses::for_everybody() const {
  std::vector<IpAddress> all = configured_;
  if (default_v4_) all.push_back(*default_v4_);
  if (default_v6_) all.push_back(*default_v6_);
  return all;
}

}  // namespace turnpike::relay
